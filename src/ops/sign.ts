import { flat, unary } from "./elementwise.js";

/** y = −1, 0 or 1 */
export const sign = unary({ name: "sign", value: Math.sign, derivative: flat, onnx: "Sign", range: [0.1, 2] });
