import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { float } from "../../tests/engine.js";
import { add, concat, gelu, matmul, mul, split } from "../ops/index.js";
import { bytesOf, type DType, hostArray, isFloat, sameShape, showType, sizeOf } from "./dtype.js";
import { printGraph } from "./print.js";
import { inScope, type Tensor } from "./tensor.js";
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
  const y = inScope("blocks.0", () => inScope("attn", () => mul(left, right)));
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
  expect(() => x.as("B L D")).toThrow('input x float32[2 3] is not "B L D"');
  expect(() => x.as("3 L")).toThrow('input x float32[2 3] is not "3 L"');
  expect(() => inScope("mlp", () => mul(x, 2).as("B"))).toThrow('mul float32[2 3] is not "B" (in mlp)');
  expect(x.dim(-1)).toBe(3);
  expect(() => x.dim(2)).toThrow("axis 2 of input x float32[2 3] does not exist");
});

test("sizes are read by the names of their axes, with the same check", () => {
  const x = float("x", 2, 3);
  const [B, L]: [number, number] = x.dims("B L"); // as many numbers as names, which the compiler knows
  expect([B, L]).toEqual([2, 3]);
  expect(x.dims("B 3")).toEqual([2, 3]);
  expect(() => x.dims("B L D")).toThrow('input x float32[2 3] is not "B L D"');
  expect(() => x.dims("3 L")).toThrow('input x float32[2 3] is not "3 L"');
});

const messageOf = (build: () => unknown): string => {
  try {
    build();
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return "nothing was thrown";
};
describe("errors say which operation, on what, made where, in which part of the network", () => {
  const at = <T>(path: string, build: () => T): T => {
    const [name = "", ...rest] = path.split(".");
    return inScope(name, () => (rest.length === 0 ? build() : at(rest.join("."), build)));
  };
  const x = float("x", 2, 3);
  const w = float("w", 4, 5);

  test("both operands with types and origins, and the scope", () => {
    expect(messageOf(() => at("blocks.3.attn.qkv", () => matmul(x, w)))).toBe(
      "matmul: the inner axes differ, 3 and 4: a is float32[2 3] from input x, b is float32[4 5] from input w (in blocks.3.attn.qkv)",
    );
  });

  test("an operand of another part names that part", () => {
    const h = at("blocks.3.mlp", () => gelu(x));
    expect(messageOf(() => at("blocks.4", () => matmul(h, w)))).toBe(
      "matmul: the inner axes differ, 3 and 4: a is float32[2 3] from gelu in blocks.3.mlp, b is float32[4 5] from input w (in blocks.4)",
    );
    expect(messageOf(() => at("blocks.3.mlp", () => matmul(h, w)))).toContain("a is float32[2 3] from gelu, b is");
  });

  test("lists name their parts by number", () => {
    expect(messageOf(() => at("up", () => concat([x, w], { axis: 0 })))).toBe(
      "concat: input 1 does not join input 0 along axis 0: input 0 is float32[2 3] from input x, input 1 is float32[4 5] from input w (in up)",
    );
  });

  test("outside of all scopes nothing is added", () => {
    expect(messageOf(() => add(x, w))).toBe(
      "add: shapes [2 3] and [4 5] do not broadcast: a is float32[2 3] from input x, b is float32[4 5] from input w",
    );
  });

  test("names of axes that do not fit: where the tensor was made and where it is read", () => {
    const h = at("mlp", () => gelu(x));
    expect(messageOf(() => h.dims("B L D"))).toBe('gelu float32[2 3] is not "B L D" (in mlp)');
    expect(messageOf(() => at("head", () => h.as("B L D")))).toBe(
      'gelu float32[2 3] is not "B L D" (made in mlp, read in head)',
    );
    expect(messageOf(() => at("head", () => x.as("B L D")))).toBe('input x float32[2 3] is not "B L D" (in head)');
    expect(messageOf(() => at("head", () => h.dim(2)))).toBe(
      "axis 2 of gelu float32[2 3] does not exist (made in mlp, read in head)",
    );
  });

  test("parts that do not come out even", () => {
    expect(messageOf(() => at("attn", () => split(x, 2)))).toBe(
      "split: axis -1 of input x float32[2 3] has 3 elements, not 2 equal parts (in attn)",
    );
  });
});

test("split gives as many tensors as it is asked for", () => {
  const x = float("x", 2, 6);
  const [a, b, c]: [Tensor, Tensor, Tensor] = split(x, 3);
  expect([a, b, c].map(({ shape }) => shape)).toEqual([
    [2, 2],
    [2, 2],
    [2, 2],
  ]);
  expect(split(x, 2, 0).map(({ shape }) => shape)).toEqual([
    [1, 6],
    [1, 6],
  ]);
  const [left, right] = split(x, { axis: 1, sizes: [1, 5] });
  expect([left.shape, right.shape]).toEqual([
    [2, 1],
    [2, 5],
  ]);
  expect(split(x, { axis: 1, sizes: [6].slice() })).toHaveLength(1); // a list of unknown length gives a list
});
