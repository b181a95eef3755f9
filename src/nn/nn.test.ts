import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, referenceValues } from "../../tests/engine.js";
import { type Shape, sizeOf } from "../graph/dtype.js";
import { constant, inputName } from "../ops/index.js";
import { key } from "../random/random.js";
import {
  fromPatches,
  type Initializer,
  labelEmbedding,
  linear,
  normalInit,
  parameterInput,
  patchEmbedding,
  positionValues,
  Scope,
  selfAttention,
  sinusoid,
  timeEmbedding,
  toPatches,
  xavierUniform,
  zerosInit,
} from "./index.js";

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: ArrayLike<number>): number => Math.sqrt(mean(Array.from(values, (value) => value * value)));

describe("initialisers", () => {
  const all: Readonly<Record<string, Initializer>> = { zerosInit, normalInit: normalInit(0.02), xavierUniform };
  test.each(Object.entries(all))("%s: the same key gives the same values, another key others", (name, initialize) => {
    const shape = [16, 8];
    const first = initialize(key(1).fold("weight"), shape);
    expect(first.length).toBe(sizeOf(shape));
    expect(initialize(key(1).fold("weight"), shape)).toEqual(first);
    if (name !== "zerosInit") expect(initialize(key(2).fold("weight"), shape)).not.toEqual(first);
  });

  test("Xavier fills ±√(6 / (in + out)) evenly, whatever the shape", () => {
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.array(size, { minLength: 2, maxLength: 4 }), fc.nat(), (shape, seed) => {
        const bound = Math.sqrt(6 / (sizeOf(shape) / shape[0]! + shape[0]!));
        const values = xavierUniform(key(seed), shape);
        expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
      }),
      { numRuns: 50 },
    );
    const values = xavierUniform(key(0), [200, 100]);
    const bound = Math.sqrt(6 / 300);
    expect(Math.max(...values)).toBeGreaterThan(0.999 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.999 * bound);
    expect(deviation(values)).toBeCloseTo(bound / Math.sqrt(3), 3);
    expect(mean(values)).toBeCloseTo(0, 2);
  });

  test("a normal table has its deviation; zeros are zeros", () => {
    const values = normalInit(0.02)(key(0), [1000, 32]);
    expect(deviation(values)).toBeCloseTo(0.02, 3);
    expect(mean(values)).toBeCloseTo(0, 3);
    expect(zerosInit(key(0), [3])).toEqual(new Float32Array(3));
  });
});

describe("scopes", () => {
  const make = (scope: Scope, shape: Shape) => scope.at("blocks.0").at("fc1").parameter("weight", shape, zerosInit);

  test("a name always gives the same tensor, so a network that is used twice shares its weights", () => {
    const scope = new Scope();
    const weight = make(scope, [2, 3]);
    expect(make(scope, [2, 3])).toBe(weight);
    expect(scope.parameters.map(({ name }) => name)).toEqual(["blocks.0.fc1.weight"]);
    expect(inputName(weight)).toBe("parameter.blocks.0.fc1.weight");
    expect(parameterInput("a.b")).toBe("parameter.a.b");
  });

  test("but not another shape", () => {
    const scope = new Scope();
    make(scope, [2, 3]);
    expect(() => make(scope, [3, 2])).toThrow("parameter blocks.0.fc1.weight is used as [2 3] and as [3 2]");
  });
});

describe("patches", () => {
  const sizes = fc.record({
    batch: fc.integer({ min: 1, max: 2 }),
    channels: fc.integer({ min: 1, max: 3 }),
    side: fc.integer({ min: 1, max: 3 }),
    patch: fc.integer({ min: 1, max: 3 }),
  });

  test("fromPatches undoes toPatches once the elements of a token are ordered [p p C]", () => {
    fc.assert(
      fc.property(sizes, ({ batch, channels, side, patch }) => {
        const shape = [batch, channels, side * patch, side * patch];
        const x = float("x", ...shape);
        const tokens = toPatches(x, patch); // elements ordered [C p p]
        expect(tokens.shape).toEqual([batch, side * side, channels * patch * patch]);
        const reordered = tokens
          .reshape([batch, side * side, channels, patch, patch])
          .transpose([0, 1, 3, 4, 2])
          .reshape([...tokens.shape]);
        const values = gaussian("x", shape);
        expect(referenceOf(fromPatches(reordered, patch, channels), { x: values })).toEqual(values);
      }),
      { numRuns: 30 },
    );
  });

  test("a token is one patch, row by row", () => {
    const x = Float64Array.from({ length: 16 }, (_, i) => i);
    const tokens = referenceOf(toPatches(float("x", 1, 1, 4, 4), 2), { x });
    expect([...tokens]).toEqual([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
  });

  test("a patch embedding is the convolution with stride and kernel of the patch", () => {
    const [channels, patch, width] = [2, 2, 3];
    const y = patchEmbedding(new Scope(), float("x", 1, channels, 4, 4), patch, width);
    const x = gaussian("x", [1, channels, 4, 4]);
    const weight = gaussian("w", [width, channels, patch, patch]);
    const bias = gaussian("b", [width]);
    const got = referenceOf(y, { x, "parameter.proj.weight": weight, "parameter.proj.bias": bias });
    const wanted = (row: number, column: number, d: number): number => {
      let sum = bias[d]!;
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < patch; i++)
          for (let j = 0; j < patch; j++)
            sum +=
              x[(c * 4 + 2 * row + i) * 4 + 2 * column + j]! * weight[((d * channels + c) * patch + i) * patch + j]!;
      return sum;
    };
    const all = [0, 1].flatMap((row) => [0, 1].flatMap((column) => [0, 1, 2].map((d) => wanted(row, column, d))));
    expect(distance(got, all)).toBeLessThan(1e-12);
  });

  test("position codes: sines and cosines of the column, then of the row", () => {
    const [side, width] = [3, 8];
    const values = positionValues(side, width);
    expect(values.length).toBe(side * side * width);
    const at = (row: number, column: number) => values.subarray((row * side + column) * width).slice(0, width);
    const code = (p: number) => [Math.sin(p), Math.sin(p / 100), Math.cos(p), Math.cos(p / 100)];
    expect(distance(at(1, 2), [...code(2), ...code(1)])).toBeLessThan(1e-7);
    expect(distance(at(0, 0), [0, 0, 1, 1, 0, 0, 1, 1])).toBe(0);
  });
});

test("linear is x Wᵀ + b over the last axis, whatever the axes before it", () => {
  const feeds = {
    x: gaussian("x", [2, 3, 4]),
    "parameter.weight": gaussian("w", [5, 4]),
    "parameter.bias": gaussian("b", [5]),
  };
  const scope = new Scope();
  const [tokens, rows] = [linear(scope, float("x", 2, 3, 4), 5), linear(scope, float("x", 6, 4), 5)];
  expect(tokens.shape).toEqual([2, 3, 5]);
  const got = referenceOf(tokens, feeds);
  expect(referenceOf(rows, feeds)).toEqual(got);
  const first =
    feeds["parameter.bias"][1]! +
    [0, 1, 2, 3].reduce((sum, k) => sum + feeds.x[k]! * feeds["parameter.weight"][4 + k]!, 0);
  expect(got[1]).toBeCloseTo(first, 12);
});

test("self-attention does not know the order of its tokens", () => {
  const [length, width] = [4, 6];
  const scope = new Scope();
  const y = selfAttention(scope, float("x", 1, length, width).as("B L D"), 2);
  const weights = Object.fromEntries(
    scope.parameters.map(({ name, tensor }) => [parameterInput(name), gaussian(name, tensor.shape)]),
  );
  const x = gaussian("x", [1, length, width]);
  const order = [2, 0, 3, 1];
  const permute = (values: Float64Array): number[] =>
    order.flatMap((from) => [...values.subarray(from * width, (from + 1) * width)]);
  const [straight, permuted] = [referenceOf(y, { x, ...weights }), referenceOf(y, { x: permute(x), ...weights })];
  expect(distance(permuted, permute(straight))).toBeLessThan(1e-12);
  expect(scope.parameters.map(({ name }) => name)).toEqual(["qkv.weight", "qkv.bias", "proj.weight", "proj.bias"]);
});

test("the sinusoid of a time: cosines then sines, frequencies falling from 1 to nearly 1/10⁴", () => {
  const codes = referenceOf(sinusoid(float("t", 2, 1)), { t: [0, 0.5] });
  expect(codes.length).toBe(2 * 256);
  expect([...codes.subarray(0, 256)]).toEqual([...Array(128).fill(1), ...Array(128).fill(0)]); // t = 0
  expect(codes[256]).toBeCloseTo(Math.cos(0.5), 7);
  expect(codes[256 + 128]).toBeCloseTo(Math.sin(0.5), 7);
  expect(codes[511]).toBeCloseTo(0.5 * 1e4 ** (-127 / 128), 7);
});

test("embeddings: a time becomes [B D], a label the row of its number", () => {
  const scope = new Scope();
  expect(timeEmbedding(scope.at("t"), float("t", 2, 1, 1, 1), 8).shape).toEqual([2, 8]);
  const y = labelEmbedding(new Scope(), constant([2, 0], [2], "int64"), 3, 2);
  const [rows] = referenceValues([y], { "parameter.embedding_table.weight": [1, 2, 3, 4, 5, 6] });
  expect([...rows!]).toEqual([5, 6, 1, 2]);
});
