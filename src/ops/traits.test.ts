import { describe, expect, test } from "vitest";
import { float, gaussian } from "../../tests/engine.js";
import { sameShape, sizeOf } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { NdArray, Op, Traits } from "../graph/op.js";
import { ancestors } from "../graph/walk.js";
import { looseOnGpu, lower, lowerStandard, simplify } from "../onnx/index.js";
import { applyOne, defineOp } from "./define.js";
import * as exported from "./index.js";

/** What operations say of themselves holds on their own examples. */
const OPS = Object.values<unknown>(exported).flatMap((value): Op[] =>
  typeof value === "function" && "op" in value ? [value.op as Op] : [],
);
const claiming = (trait: keyof Traits) => OPS.filter((op) => op[trait]).map((op) => [op.name, op] as const);

const cases = ({ examples }: Op) =>
  examples.map(({ inputs, attributes = {} }, k) => ({
    attributes,
    inputs: inputs.map((spec, i): NdArray => {
      const shape = "shape" in spec ? spec.shape : spec;
      return { shape, data: gaussian(`${k}.${i}`, shape) };
    }),
  }));

const results = (op: Op, inputs: readonly NdArray[], attributes: object): readonly NdArray[] => {
  const types = inputs.map(({ shape }, i) => float(`x${i}`, ...shape).type);
  if (op.name === "where") types[0] = { dtype: "bool", shape: nth(types, 0).shape };
  return op.reference(inputs, { ...attributes }, op.infer(types, { ...attributes }));
};

test("some operations make each claim", () => {
  expect(claiming("view").map(([name]) => name)).toEqual(["alias", "stopGradient", "reshape"]);
  expect(claiming("repeats").map(([name]) => name)).toEqual(["broadcastTo"]);
  expect(claiming("looseOnGpu").map(([name]) => name)).toEqual(["cos", "sin"]);
  expect(claiming("elementwise").length).toBeGreaterThan(6);
});

test.each(claiming("view"))("%s is a view: the same elements in the same order", (_, op) => {
  for (const { inputs, attributes } of cases(op))
    expect(nth(results(op, inputs, attributes), 0).data).toEqual(nth(inputs, 0).data);
});

test.each(claiming("repeats"))(
  "%s repeats: every element is one of the input's, and all of them are there",
  (_, op) => {
    for (const { inputs, attributes } of cases(op))
      expect(new Set(nth(results(op, inputs, attributes), 0).data)).toEqual(new Set(nth(inputs, 0).data));
  },
);

test.each(claiming("elementwise"))(
  "%s is element-wise: element i of the result moves with elements i alone",
  (_, op) => {
    for (const { inputs, attributes } of cases(op)) {
      const before = nth(results(op, inputs, attributes), 0);
      for (const [k, x] of inputs.entries()) {
        if (!sameShape(x.shape, before.shape)) continue;
        for (let i = 0; i < sizeOf(x.shape); i++) {
          const data = x.data.map((value, j) => (i === j ? value + 0.5 : value));
          const after = nth(results(op, inputs.with(k, { ...x, data }), attributes), 0);
          const moved = [...after.data.keys()].filter((j) => after.data[j] !== before.data[j]);
          expect(moved.filter((j) => j !== i)).toEqual([]);
        }
      }
    }
  },
);

describe("passes ask the operation, not its name", () => {
  const x = float("x", 2, 3);
  const doubling = (name: string, traits: Traits) =>
    defineOp<readonly ["x"], Record<string, never>>({
      name,
      ...traits,
      inputs: ["x"],
      infer: (types) => types.x,
      wrt: { x: { zero: "for this test" } },
      onnx: (graph, names) => graph.node("Add", [names.x, names.x]),
      reference: ({ x: { shape, data } }) => ({ shape, data: data.map((value) => 2 * value) }),
      examples: [],
      rejects: [],
    });
  const inPlace = (y: typeof x) => () => lower("test", { y }, { inPlace: { y: "x" } });

  test("writing over an input: where the operation says it may", () => {
    expect(inPlace(doubling("mine", { elementwise: true })(x))).not.toThrow();
    expect(inPlace(doubling("add", {})(x))).toThrow("add does not work element by element");
  });

  test("reading an input through a view of any name", () => {
    const later = doubling("mine", { view: true })(x).mul(2);
    expect(() => lower("test", { y: x.add(1), later }, { inPlace: { y: "x" } })).toThrow(/may read the input later/);
  });

  test("equal expressions: two operations of one name stay two", () => {
    const [a, b] = [doubling("same", {}), doubling("same", {})];
    expect(ancestors(simplify([a(x), a(x)])).length).toBe(2);
    expect(ancestors(simplify([a(x), b(x)])).length).toBe(3);
  });

  test("computed on the CPU of a page: what an operation marks, and what leads to it", () => {
    const y = applyOne(doubling("mine", { looseOnGpu: true }).op, [x.mul(2)]).sub(1);
    expect(looseOnGpu(lowerStandard("test", { y })).map((name) => name.replace(/_\d+/, ""))).toEqual(["Mul", "Add"]);
  });
});
