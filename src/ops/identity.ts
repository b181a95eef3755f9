import { defineOp, type OpFunction } from "./define.js";
import { unary } from "./elementwise.js";

/** y = x. A name of its own for a value that derivatives are taken with respect to; programs contain no trace of it. */
export const alias: OpFunction<readonly ["x"]> = defineOp({
  name: "alias",
  inputs: ["x"],
  infer: ({ x }) => x,
  wrt: { x: { jvp: (_, dx) => dx, vjp: (_, ct) => ct } },
  onnx: (graph, { x }) => graph.node("Identity", [x]),
  reference: ({ x }) => x,
  simplify: ({ x }) => x,
  examples: [{ inputs: [[2, 3]] }, { inputs: [[]] }],
  rejects: [],
});

/** y = x with a derivative that is zero by decree: sg in the papers, `detach` in PyTorch. */
export const stopGradient = unary({
  name: "stopGradient",
  value: (x) => x,
  derivative: { zero: "by definition" },
  onnx: "Identity",
  simplify: ({ x }) => x,
});
