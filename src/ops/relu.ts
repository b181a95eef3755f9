import { cast } from "./cast.js";
import { greater } from "./compare.js";
import { unary } from "./elementwise.js";
import { mul } from "./mul.js";

/** y = max(x, 0); the derivative at 0 is 0 */
export const relu = unary({
  name: "relu",
  value: (x) => Math.max(x, 0),
  derivative: (g, { x }) => mul(g, cast(greater(x, 0), { to: x.dtype })),
  onnx: "Relu",
  range: [0.1, 2],
});
