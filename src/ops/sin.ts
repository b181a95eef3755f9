import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { neg } from "./neg.js";

/** y = sin x, x in radians */
export const sin = unary({ name: "sin", value: Math.sin, derivative: (g, { x }) => mul(g, cos(x)), onnx: "Sin" });

/** y = cos x, x in radians */
export const cos = unary({ name: "cos", value: Math.cos, derivative: (g, { x }) => mul(g, neg(sin(x))), onnx: "Cos" });
