import { binary, flat } from "./elementwise.js";

const comparison = (name: string, onnx: string, value: (a: number, b: number) => boolean) =>
  binary({ name, value: (a, b) => Number(value(a, b)), wrt: { a: flat, b: flat }, onnx, result: "bool" });

/** y = a > b, bool */
export const greater = comparison("greater", "Greater", (a, b) => a > b);

/** y = a < b, bool */
export const less = comparison("less", "Less", (a, b) => a < b);

/** y = (a = b), bool */
export const equal = comparison("equal", "Equal", (a, b) => a === b);
