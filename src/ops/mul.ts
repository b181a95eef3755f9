import type { Tensor } from "../graph/tensor.js";
import { uniformValue } from "./constant.js";
import { binary } from "./elementwise.js";
import { unlessBroadcast } from "./simplify.js";

/** (x · s) · r as x · (s · r) for scalars s and r: one pass over x instead of two. */
const joinScalars = (a: Tensor, b: Tensor): Tensor | null => {
  if (b.rank !== 0 || a.rank === 0 || a.node.op !== mul.op) return null;
  const [x, s] = a.node.inputs;
  return x && s?.rank === 0 ? mul(x, mul(s, b)) : null;
};

/** y = a · b */
export const mul = binary({
  name: "mul",
  value: (a, b) => a * b,
  wrt: { a: (g, { b }) => mul(g, b), b: (g, { a }) => mul(g, a) },
  onnx: "Mul",
  simplify: ({ a, b }, _, y) => {
    if (uniformValue(b) === 1) return unlessBroadcast(a, y);
    if (uniformValue(a) === 1) return unlessBroadcast(b, y);
    return joinScalars(a, b);
  },
});
