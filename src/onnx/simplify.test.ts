import { describe, expect, test } from "vitest";
import { distance, type Feeds, float, gaussian, referenceValues, testRuntime } from "../../tests/engine.js";
import { grad, jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { constantData } from "../ops/constant.js";
import {
  add,
  alias,
  broadcastTo,
  constant,
  gelu,
  isConstant,
  matmul,
  mul,
  onesLike,
  softmax,
  split,
  stopGradient,
  sub,
  zerosLike,
} from "../ops/index.js";
import { constantBytes, inputsOf, simplify } from "./simplify.js";

const names = (y: Tensor): string[] => ancestors(simplify([y])).map((node) => node.op.name);
const x = float("x", 2, 3);

describe("expressions that vanish", () => {
  const same: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    "x · 1": (x) => x.mul(1),
    "1 · x": (x) => mul(1, x),
    "x · ones": (x) => x.mul(onesLike(x)),
    "x + 0": (x) => x.add(0),
    "0 + x": (x) => add(0, x),
    "x + zeros": (x) => x.add(zerosLike(x)),
    "x − 0": (x) => x.sub(0),
    "x / 1": (x) => x.div(1),
    "a double transpose": (x) => x.transpose([1, 0]).transpose([1, 0]),
    "reshape and back": (x) => x.reshape([6]).reshape([3, 2]).reshape([2, 3]),
    "a broadcast to the same shape": (x) => broadcastTo(x, { shape: [2, 3] }),
    "names and stops": (x) => stopGradient(alias(x)),
    "all of them": (x) => alias(x.mul(1).transpose([1, 0]).add(0).transpose([1, 0]).reshape([3, 2])).reshape([2, 3]),
  };
  test.each(Object.entries(same))("%s is x", (_, f) => {
    expect(simplify([f(x)])).toEqual([x]);
  });

  test("but not where broadcasting gives x another shape", () => {
    const row = float("row", 3);
    const y = row.add(zerosLike(x));
    expect(simplify([y])[0]!.shape).toEqual([2, 3]);
    expect(simplify([mul(row, onesLike(x))])[0]!.shape).toEqual([2, 3]);
  });

  test("nor where the number is not the neutral one", () => {
    expect(names(x.mul(0.5))).toEqual(["input", "constant", "mul"]);
    expect(names(x.add(1))).toEqual(["input", "constant", "add"]);
    expect(names(sub(0, x))).toContain("sub");
  });
});

test("chains of reshapes and of transposes become one", () => {
  const y = x.reshape([3, 2]).reshape([6]).reshape([1, 6]);
  expect(names(y)).toEqual(["input", "reshape"]);
  const z = float("z", 2, 3, 4).transpose([1, 2, 0]).transpose([1, 2, 0]);
  expect(names(z)).toEqual(["input", "transpose"]);
  expect(simplify([z])[0]!.node.attributes.order).toEqual([2, 0, 1]);
});

test("equal subexpressions become one node, through several levels", () => {
  const left = gelu(matmul(x, float("w", 3, 3)));
  const right = gelu(matmul(x, float("w", 3, 3))); // other nodes, the same program
  const [a, b] = simplify([left, right]);
  expect(a).toBe(b);
  expect(names(left.mul(right))).toEqual(["input", "input", "matmul", "gelu", "mul"]);
});

test("attributes and the order of inputs keep nodes apart", () => {
  const w = float("w", 3, 2);
  const [a, b] = simplify([x.sub(x.mul(2)), x.mul(2).sub(x)]);
  expect(a).not.toBe(b);
  const [c, d] = simplify([matmul(x, w, { alpha: 2 }), matmul(x, w, { alpha: 3 })]);
  expect(c).not.toBe(d);
  const [left, right] = split(x, { axis: 1, sizes: [1, 2] });
  const [e, f] = simplify([left!.mul(2), right!.mul(2)]);
  expect([e!.shape, f!.shape]).toEqual([
    [2, 1],
    [2, 2],
  ]);
});

test("0 and −0 stay different constants", async () => {
  const [a, b] = simplify([x.div(constant([0], [])), x.div(constant([-0], []))]);
  expect(a).not.toBe(b);
});

test("what no output needs is gone", () => {
  const [used, unused] = split(x, { axis: 1, sizes: [1, 2] });
  gelu(unused!);
  expect(names(used!.neg())).toEqual(["input", "split", "neg"]);
});

test("operations on constants are computed when the program is built", () => {
  const [y] = simplify([
    constant([1, 2], [2])
      .add(constant([3], []))
      .mul(2),
  ]);
  expect(isConstant(y!)).toBe(true);
  expect(constantData(y!)).toEqual(Float32Array.of(8, 10));
  const [z] = simplify([constant([1, 2], [2], "int64").mul(constant([3], [], "int64"))]);
  expect(constantData(z!)).toEqual(BigInt64Array.of(3n, 6n));
});

test("one number repeated many times is stored once", () => {
  const many = onesLike(float("many", 100, 100));
  expect(constantBytes(simplify([many.mul(float("many", 100, 100)).add(many)]))).toBe(4);
  const [big] = simplify([constant(new Float32Array(70_000), [70_000]).mul(2)]);
  expect(isConstant(big!)).toBe(false); // above the limit it is computed at run time
});

test("inputs are listed by name, and one name with two types is an error", () => {
  expect(inputsOf([x.add(float("row", 3))])).toEqual({
    x: { dtype: "float32", shape: [2, 3] },
    row: { dtype: "float32", shape: [3] },
  });
  expect(() => inputsOf([x.add(float("x", 3))])).toThrow("input x is both float32[2 3] and float32[3]");
});

const run = testRuntime();

test("values stay what they were: a network, its gradient and its tangent against the graph as it was built", async () => {
  const w = float("w", 3, 3);
  const f = (a: Tensor, b: Tensor) =>
    softmax(
      gelu(matmul(a.mul(1), b).add(0))
        .transpose([1, 0])
        .transpose([1, 0]),
    )
      .mul(a)
      .sum();
  const [slopeX, slopeW] = grad(f)(x, w) as [Tensor, Tensor];
  const outputs = { value: f(x, w), slopeX, slopeW, tangent: jvp(f, [x, w], [x, w])[1] };
  const feeds: Feeds = { x: gaussian("x", [2, 3]), w: gaussian("w", [3, 3]) };
  const wanted = referenceValues(Object.values(outputs), feeds);
  const simplified = referenceValues(simplify(Object.values(outputs)), feeds);
  const got = await run(outputs, feeds);
  Object.keys(outputs).forEach((name, i) => {
    expect(distance(simplified[i]!, wanted[i]!), name).toBeLessThan(1e-7);
    expect(distance(got[name]!, wanted[i]!), name).toBeLessThan(1e-5);
  });
  expect(ancestors(simplify(Object.values(outputs))).length).toBeLessThan(ancestors(Object.values(outputs)).length);
});
