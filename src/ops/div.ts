import { uniformValue } from "./constant.js";
import { binary } from "./elementwise.js";
import { mul } from "./mul.js";
import { neg } from "./neg.js";
import { unlessBroadcast } from "./simplify.js";

/** y = a / b */
export const div = binary({
  name: "div",
  value: (a, b) => a / b,
  wrt: { a: (g, { b }) => div(g, b), b: (g, { b }, y) => neg(div(mul(g, y), b)) }, // ∂(a/b)/∂b = −y/b
  onnx: "Div",
  ranges: [
    [-2, 2],
    [0.5, 2],
  ],
  simplify: ({ a, b }, _, y) => (uniformValue(b) === 1 ? unlessBroadcast(a, y) : null),
});
