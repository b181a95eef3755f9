import { check, defineOp, type OpFunction, show } from "./define.js";
import { flat } from "./elementwise.js";

/** Index of the largest element of every row (last axis); the first of equals.   x [… N] → y int64 […] */
export const argmax: OpFunction<readonly ["x"]> = defineOp({
  name: "argmax",
  inputs: ["x"],
  infer: ({ x }) => {
    check(x.shape.length > 0, `x must have at least one axis, got ${show(x)}`);
    return { dtype: "int64", shape: x.shape.slice(0, -1) };
  },
  wrt: { x: flat },
  onnx: (graph, { x }) => graph.node("ArgMax", [x], { attributes: { axis: -1, keepdims: 0 } }),
  reference: ({ x }, _, [y]) => {
    const size = x.shape.at(-1)!;
    const rows = Array.from({ length: x.data.length / size }, (_, i) => x.data.subarray(i * size, (i + 1) * size));
    return { shape: y!.shape, data: Float64Array.from(rows, (row) => row.indexOf(Math.max(...row))) };
  },
  examples: [{ inputs: [[4, 5]] }, { inputs: [[2, 3, 4]] }],
  rejects: [{ inputs: [[]], message: /x must have at least one axis, got float32\[\]/ }],
});
