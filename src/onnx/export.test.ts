import { expect, test } from "vitest";
import { cos, input, mul, sin } from "../ops/index.js";
import { anyBatch, looseOnGpu, lowerStandard } from "./index.js";

/** x [B 2 3] times sin(t f) + cos t of its sample. */
const build = (batch: number) => {
  const t = input("t", { dtype: "float32", shape: [batch, 1] });
  const x = input("x", { dtype: "float32", shape: [batch, 2, 3] });
  const f = input("f", { dtype: "float32", shape: [1, 6] });
  const waves = sin(mul(t, f)).add(cos(t));
  return lowerStandard("waves", { y: mul(x.reshape([batch, 6]), waves).reshape([batch, 2, 3]) });
};

test("sines and cosines, what leads to them, and nothing else are loose on a GPU", () => {
  const model = build(2);
  const types = looseOnGpu(model).map((name) => model.nodes.find((node) => node.name === name)!.type);
  expect(types.sort()).toEqual(["Cos", "Mul", "Sin"]);
  expect(looseOnGpu({ nodes: model.nodes.filter(({ type }) => type !== "Sin" && type !== "Cos") })).toEqual([]);
});

test("a reshape infers its one size that depends on the batch, and no shape is computed", () => {
  const { nodes, constants } = anyBatch(build, "x");
  const shapes = nodes
    .filter(({ type }) => type === "Reshape")
    .map(({ inputs }) => constants.find(({ name }) => name === inputs[1])!.data as BigInt64Array);
  expect(shapes.map((shape) => Array.from(shape, Number))).toEqual([
    [-1, 6],
    [-1, 2, 3],
  ]);
  expect(nodes.filter(({ type }) => type === "Shape")).toEqual([]);
});
