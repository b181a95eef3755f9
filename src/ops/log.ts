import { div } from "./div.js";
import { unary } from "./elementwise.js";

/** y = ln x, for x > 0 */
export const log = unary({
  name: "log",
  value: Math.log,
  derivative: (g, { x }) => div(g, x),
  onnx: "Log",
  range: [0.5, 3],
});
