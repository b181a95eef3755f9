import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf } from "../../tests/engine.js";
import { input } from "../ops/index.js";
import { key } from "../random/random.js";
import { conv, convXavier, double, dropout, groupNorm, halve, parameterInput, Scope } from "./index.js";

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

test("a convolution keeps the size of the image, adds its bias, and is named as PyTorch names it", () => {
  const scope = new Scope();
  const y = conv(scope.at("conv0"), float("x", 1, 2, 3, 4), 3, 3);
  expect(y.shape).toEqual([1, 3, 3, 4]);
  expect(scope.parameters.map(({ name, tensor }) => [name, tensor.shape])).toEqual([
    ["conv0.weight", [3, 2, 3, 3]],
    ["conv0.bias", [3]],
  ]);
  const feeds = { x: gaussian("x", [1, 2, 3, 4]), [parameterInput("conv0.weight")]: new Float64Array(54) };
  const biased = referenceOf(y, { ...feeds, [parameterInput("conv0.bias")]: [1, 2, 3] });
  expect([...biased]).toEqual([1, 2, 3].flatMap((b) => Array(12).fill(b)));
});

test("Xavier of a convolution counts its kernel in both fans", () => {
  const values = convXavier(0.5)(key(0), [64, 32, 3, 3]);
  const bound = 0.5 * Math.sqrt(6 / (9 * (64 + 32)));
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
  expect(Math.max(...values)).toBeGreaterThan(0.99 * bound);
});

describe("group norm", () => {
  const [channels, groups] = [6, 3];
  const scope = new Scope();
  const y = groupNorm(scope, float("x", 2, channels, 4, 4), groups, 1e-6);
  const weights = (scale: number, shift: number) => ({
    [parameterInput("weight")]: Array(channels).fill(scale),
    [parameterInput("bias")]: Array(channels).fill(shift),
  });
  const x = gaussian("x", [2, channels, 4, 4]).map((value, i) => 5 * value + (i % 7));

  test("every group of every sample has mean 0 and variance 1", () => {
    const values = referenceOf(y, { x, ...weights(1, 0) });
    const size = (channels / groups) * 16;
    for (let i = 0; i < 2 * groups; i++) {
      const group = values.subarray(i * size, (i + 1) * size);
      expect(mean(group)).toBeCloseTo(0, 10);
      expect(mean(group.map((value) => value * value))).toBeCloseTo(1, 5);
    }
  });

  test("scale and shift of the input do not matter, those of the layer do", () => {
    const plain = referenceOf(y, { x, ...weights(1, 0) });
    expect(distance(referenceOf(y, { x: x.map((value) => 3 * value - 2), ...weights(1, 0) }), plain)).toBeLessThan(
      1e-6,
    );
    const moved = plain.map((value) => 2 * value + 1);
    expect(distance(referenceOf(y, { x, ...weights(2, 1) }), moved)).toBeLessThan(1e-12);
  });
});

describe("resampling by the filter 1,3,3,1", () => {
  const flat = Float64Array.from({ length: 2 * 8 * 8 }, (_, i) => (i < 64 ? 1 : -2));
  const inside = (values: Float64Array, side: number): number[] =>
    [...values.subarray(0, side * side)].filter(
      (_, i) => i % side > 0 && i % side < side - 1 && i >= side && i < side * (side - 1),
    );

  test("a flat image stays flat, but for the zeros beyond its edge", () => {
    const small = referenceOf(halve(float("x", 1, 2, 8, 8)), { x: flat });
    const large = referenceOf(double(float("x", 1, 2, 8, 8)), { x: flat });
    expect([small.length, large.length]).toEqual([2 * 16, 2 * 256]);
    expect(distance(inside(small, 4), Array(4).fill(1))).toBeLessThan(1e-12);
    expect(distance(inside(large, 16), Array(196).fill(1))).toBeLessThan(1e-12);
  });

  test("doubling is the adjoint of halving, times 4: ⟨halve x, y⟩ = ⟨x, double y⟩ / 4", () => {
    const [x, y] = [gaussian("x", [1, 2, 8, 8]), gaussian("y", [1, 2, 4, 4])];
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
    const left = dot(referenceOf(halve(float("x", 1, 2, 8, 8)), { x }), y);
    const right = dot(x, referenceOf(double(float("y", 1, 2, 4, 4)), { y }));
    expect(left).toBeCloseTo(right / 4, 12);
  });
});

test("dropout keeps what it is told to, scaled so that the mean over masks is x", () => {
  const keep = input("keep", { dtype: "bool", shape: [4] });
  const y = referenceOf(dropout(float("x", 4), keep, 0.25), { x: [1, 2, 3, 4], keep: [1, 0, 1, 1] });
  expect(distance(y, [1 / 0.75, 0, 3 / 0.75, 4 / 0.75])).toBeLessThan(1e-7);
});
