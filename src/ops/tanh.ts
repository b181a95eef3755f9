import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { square } from "./square.js";
import { sub } from "./sub.js";

/** y = tanh x */
export const tanh = unary({
  name: "tanh",
  value: Math.tanh,
  derivative: (g, _, y) => mul(g, sub(1, square(y))),
  onnx: "Tanh",
});
