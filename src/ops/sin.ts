import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { neg } from "./neg.js";

/** WebGPU allows these an error of 2⁻¹¹ within a turn of 0, and more beyond. */
const looseOnGpu = true;

/** y = sin x, x in radians */
export const sin = unary({
  name: "sin",
  looseOnGpu,
  value: Math.sin,
  derivative: (g, { x }) => mul(g, cos(x)),
  onnx: "Sin",
});

/** y = cos x, x in radians */
export const cos = unary({
  name: "cos",
  looseOnGpu,
  value: Math.cos,
  derivative: (g, { x }) => mul(g, neg(sin(x))),
  onnx: "Cos",
});
