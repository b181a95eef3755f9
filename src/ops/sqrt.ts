import { div } from "./div.js";
import { unary } from "./elementwise.js";
import { mul } from "./mul.js";

/** y = √x, for x > 0 */
export const sqrt = unary({
  name: "sqrt",
  value: Math.sqrt,
  derivative: (g, _, y) => div(mul(g, 0.5), y),
  onnx: "Sqrt",
  range: [0.5, 3],
});
