import fc from "fast-check";
import { expect, test } from "vitest";
import { float } from "../../tests/engine.js";
import { add, matmul, mul, split } from "../ops/index.js";
import { bytesOf, type DType, hostArray, isFloat, sameShape, showType, sizeOf } from "./dtype.js";
import { printGraph } from "./print.js";
import { inScope } from "./tensor.js";
import { ancestors, dependents } from "./walk.js";

const DTYPES: readonly DType[] = ["float32", "float16", "float64", "int64", "int32", "uint8", "bool"];

test.each(DTYPES)("a host array of %s has the bytes of its type", (dtype) => {
  const data = hostArray(dtype, [2, 3]);
  expect(data.length).toBe(6);
  expect(data.byteLength).toBe(6 * bytesOf(dtype));
  expect(isFloat(dtype)).toBe(["float16", "float32", "float64"].includes(dtype));
});

test("sizes multiply, and a scalar has one element", () => {
  const shape = fc.array(fc.nat({ max: 9 }), { maxLength: 5 });
  fc.assert(
    fc.property(shape, shape, (a, b) => {
      expect(sizeOf([...a, ...b])).toBe(sizeOf(a) * sizeOf(b));
      expect(sameShape(a, b)).toBe(`${a}` === `${b}`);
    }),
  );
  expect(sizeOf([])).toBe(1);
  expect(showType({ dtype: "float32", shape: [2, 3] })).toBe("float32[2 3]");
  expect(showType({ dtype: "bool", shape: [] })).toBe("bool[]");
});

test("the printer shows one node a line, with types, scopes and which result of several is read", () => {
  const x = float("x", 2, 3);
  const [left, right] = split(x, { axis: 1, sizes: [1, 2] });
  const y = inScope("blocks.0", () => inScope("attn", () => mul(left!, right!)));
  const base = x.node.id;
  expect(printGraph([y])).toBe(
    [
      `%${base} = input() : float32[2 3]`,
      `%${base + 1} = split(%${base}) : float32[2 1], float32[2 2]`,
      `%${base + 2} = mul(%${base + 1}, %${base + 1}.1) : float32[2 2]   # blocks.0.attn`,
    ].join("\n"),
  );
});

test("a scope ends with its builder, also when that throws", () => {
  const fail = () =>
    inScope("outer", () => {
      throw new Error("no");
    });
  expect(fail).toThrow("no");
  expect(float("x").node.scope).toBe("");
});

test("ancestors come once each, inputs before what reads them; dependents are those downstream of a source", () => {
  const [x, w] = [float("x", 2, 2), float("w", 2, 2)];
  const hidden = matmul(x, w);
  const y = add(hidden, hidden);
  add(y, y); // not asked for
  const nodes = ancestors([y, hidden]);
  expect(nodes).toEqual([x.node, w.node, hidden.node, y.node]);
  expect([...dependents(nodes, [w])]).toEqual([hidden.node, y.node]);
  expect([...dependents(nodes, [hidden])]).toEqual([y.node]);
});

test("a chain far deeper than the call stack can be walked", () => {
  let y = float("x");
  for (let i = 0; i < 20_000; i++) y = y.add(1);
  expect(ancestors([y]).length).toBe(40_001);
});

test("axes are named by the reader and checked against the shape", () => {
  const x = float("x", 2, 3);
  expect(x.as("B L")).toBe(x);
  expect(x.as("B 3")).toBe(x);
  expect(() => x.as("B L D")).toThrow('input float32[2 3] is not "B L D"');
  expect(() => x.as("3 L")).toThrow('input float32[2 3] is not "3 L"');
  expect(() => inScope("mlp", () => mul(x, 2).as("B"))).toThrow('mul float32[2 3] is not "B" (in mlp)');
  expect(x.dim(-1)).toBe(3);
  expect(() => x.dim(2)).toThrow("axis 2 of input float32[2 3] does not exist");
});
