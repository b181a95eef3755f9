import { uniformValue } from "./constant.js";
import { binary } from "./elementwise.js";
import { unlessBroadcast } from "./simplify.js";

/** y = a + b */
export const add = binary({
  name: "add",
  value: (a, b) => a + b,
  wrt: { a: (g) => g, b: (g) => g },
  onnx: "Add",
  simplify: ({ a, b }, _, y) =>
    uniformValue(b) === 0 ? unlessBroadcast(a, y) : uniformValue(a) === 0 ? unlessBroadcast(b, y) : null,
});
