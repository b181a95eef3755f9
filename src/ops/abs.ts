import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { sign } from "./sign.js";

/** y = |x|; the derivative at 0 is 0 */
export const abs = unary({
  name: "abs",
  value: Math.abs,
  derivative: (g, { x }) => mul(g, sign(x)),
  onnx: "Abs",
  range: [0.1, 2],
});
