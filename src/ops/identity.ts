import { defineOp } from "./define.js";
import { unary } from "./elementwise.js";
import { example } from "./examples.js";
import type { Unary } from "./families.js";

/** y = x. A name of its own for a value that derivatives are taken with respect to; programs contain no trace of it. */
export const alias: Unary = defineOp({
  name: "alias",
  inputs: ["x"],
  view: true,
  infer: ({ x }) => x,
  wrt: { x: { jvp: (_, dx) => dx, vjp: (_, ct) => ct } },
  onnx: (graph, { x }) => graph.node("Identity", [x]),
  reference: ({ x }) => x,
  simplify: ({ x }) => x,
  examples: [example("[2 3]"), example("[]")],
  rejects: [],
});

/** y = x with a derivative that is zero by decree: sg in the papers, `detach` in PyTorch. */
export const stopGradient = unary({
  name: "stopGradient",
  view: true,
  value: (x) => x,
  derivative: { zero: "by definition" },
  onnx: "Identity",
  simplify: ({ x }) => x,
});
