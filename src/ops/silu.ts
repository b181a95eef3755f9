import { add } from "./add.js";
import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { sigmoid } from "./sigmoid.js";
import { sub } from "./sub.js";

/** y = x σ(x) (SiLU, also called Swish) */
export const silu = unary({
  name: "silu",
  value: (x) => x / (1 + Math.exp(-x)),
  derivative: (g, { x }, y) => {
    const s = sigmoid(x);
    return mul(g, add(s, mul(y, sub(1, s)))); // y′ = σ + y (1 − σ)
  },
  onnx: (graph, { x }) =>
    graph.standard
      ? graph.node("Mul", [x, graph.node("Sigmoid", [x])])
      : graph.node("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: { float: 1 } } }),
});
