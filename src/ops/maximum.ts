import { cast } from "./cast.js";
import { greater, less } from "./compare.js";
import { binary } from "./elementwise.js";
import { mul } from "./mul.js";
import { sub } from "./sub.js";

const ranges = [
  [-2, 0],
  [0.1, 2],
] as const;

/** y = max(a, b); where they are equal the derivative goes to b */
export const maximum = binary({
  name: "maximum",
  value: Math.max,
  wrt: {
    a: (g, { a, b }) => mul(g, cast(greater(a, b), { to: g.dtype })),
    b: (g, { a, b }) => mul(g, sub(1, cast(greater(a, b), { to: g.dtype }))),
  },
  onnx: "Max",
  ranges,
});

/** y = min(a, b); where they are equal the derivative goes to b */
export const minimum = binary({
  name: "minimum",
  value: Math.min,
  wrt: {
    a: (g, { a, b }) => mul(g, cast(less(a, b), { to: g.dtype })),
    b: (g, { a, b }) => mul(g, sub(1, cast(less(a, b), { to: g.dtype }))),
  },
  onnx: "Min",
  ranges,
});
