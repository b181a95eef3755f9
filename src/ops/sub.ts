import { uniformValue } from "./constant.js";
import { binary } from "./elementwise.js";
import { neg } from "./neg.js";
import { unlessBroadcast } from "./simplify.js";

/** y = a − b */
export const sub = binary({
  name: "sub",
  value: (a, b) => a - b,
  wrt: { a: (g) => g, b: (g) => neg(g) },
  onnx: "Sub",
  simplify: ({ a, b }, _, y) => (uniformValue(b) === 0 ? unlessBroadcast(a, y) : null),
});
