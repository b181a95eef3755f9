import { uniformValue } from "./constant.js";
import { binary } from "./elementwise.js";
import { unlessBroadcast } from "./simplify.js";

/** y = a · b */
export const mul = binary({
  name: "mul",
  value: (a, b) => a * b,
  wrt: { a: (g, { b }) => mul(g, b), b: (g, { a }) => mul(g, a) },
  onnx: "Mul",
  simplify: ({ a, b }, _, [y]) =>
    uniformValue(b) === 1 ? unlessBroadcast(a, y!) : uniformValue(a) === 1 ? unlessBroadcast(b, y!) : null,
});
