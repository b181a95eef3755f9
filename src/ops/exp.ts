import { unary } from "./elementwise.js";
import { mul } from "./mul.js";

/** y = eˣ */
export const exp = unary({ name: "exp", value: Math.exp, derivative: (g, _, y) => mul(g, y), onnx: "Exp" });
