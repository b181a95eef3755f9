import { flat, unary } from "./elementwise.js";

/** y = the largest integer ≤ x */
export const floor = unary({ name: "floor", value: Math.floor, derivative: flat, onnx: "Floor", range: [0.1, 0.9] });
