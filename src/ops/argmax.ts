import { check, defineOp } from "./define.js";
import { flat } from "./elementwise.js";
import { example, reject } from "./examples.js";
import type { Unary } from "./families.js";
import { rowsOf } from "./ndarray.js";

/** Index of the largest element of every row (last axis); the first of equals.   x [… N] → y int64 […] */
export const argmax: Unary = defineOp({
  name: "argmax",
  inputs: ["x"],
  infer: ({ x }) => {
    check(x.shape.length > 0, "x must have at least one axis");
    return { dtype: "int64", shape: x.shape.slice(0, -1) };
  },
  wrt: { x: flat },
  onnx: (graph, { x }) => graph.node("ArgMax", [x], { attributes: { axis: -1, keepdims: 0 } }),
  reference: ({ x }, _, { shape }) => ({
    shape,
    data: Float64Array.from(rowsOf(x), (row) => row.indexOf(Math.max(...row))),
  }),
  examples: [example("[4 5]"), example("[2 3 4]")],
  rejects: [reject("[]", /x must have at least one axis: x is float32\[\]/)],
});
