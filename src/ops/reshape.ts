import { type Shape, sameShape, sizeOf } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { check, show } from "./define.js";
import { example, reject } from "./examples.js";
import { linear, type Unary } from "./families.js";

const source = (x: Tensor): Tensor => (x.node.op === reshape.op ? nth(x.node.inputs, 0) : x);

/** The same elements in row-major order under another shape. Free at run time. */
export const reshape: Unary<{ shape: Shape }> = linear({
  name: "reshape",
  view: true,
  infer: (x, { shape }) => {
    const [has, wanted] = [sizeOf(x.shape), sizeOf(shape)];
    check(has === wanted, `${show(x.shape)} has ${has} elements, ${show(shape)} has ${wanted}`);
    return { dtype: x.dtype, shape };
  },
  adjoint: (ct, { shape }) => reshape(ct, { shape }),
  onnx: (graph, x, { shape }) => graph.node("Reshape", [x, graph.integers(shape)]),
  reference: ({ data }, { shape }) => ({ shape, data }),
  simplify: (x, { shape }) => {
    if (sameShape(x.shape, shape)) return x;
    const from = source(x);
    return from === x ? null : sameShape(from.shape, shape) ? from : reshape(from, { shape });
  },
  examples: [example("[2 6]", { shape: [3, 4] }), example("[4]", { shape: [2, 1, 2] }), example("[1]", { shape: [] })],
  rejects: [reject("[2 3]", /\[2 3\] has 6 elements, \[4\] has 4: x is float32\[2 3\]/, { shape: [4] })],
});
