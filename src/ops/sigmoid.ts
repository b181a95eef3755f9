import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { sub } from "./sub.js";

/** y = σ(x) = 1 / (1 + e⁻ˣ) */
export const sigmoid = unary({
  name: "sigmoid",
  value: (x) => 1 / (1 + Math.exp(-x)),
  derivative: (g, _, y) => mul(g, mul(y, sub(1, y))),
  onnx: "Sigmoid",
});
