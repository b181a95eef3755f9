import { unary } from "./elementwise.js";
import { mul } from "./mul.js";

/** y = x² */
export const square = unary({
  name: "square",
  value: (x) => x * x,
  derivative: (g, { x }) => mul(g, mul(x, 2)),
  onnx: (graph, { x }) => graph.node("Mul", [x, x]),
});
