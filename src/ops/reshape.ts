import { type Shape, sameShape, sizeOf } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";

const source = (x: Tensor): Tensor => (x.node.op === reshape.op ? x.node.inputs[0]! : x);

/** The same elements in row-major order under another shape. Free at run time. */
export const reshape: OpFunction<readonly ["x"], { shape: Shape }> = defineOp({
  name: "reshape",
  inputs: ["x"],
  infer: ({ x }, { shape }) => {
    check(
      sizeOf(shape) === sizeOf(x.shape),
      `${show(x.shape)} has ${sizeOf(x.shape)} elements, ${show(shape)} has ${sizeOf(shape)}`,
    );
    return { dtype: x.dtype, shape };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => reshape(dx, attributes),
      vjp: ({ x }, ct) => reshape(ct, { shape: x.shape }),
    },
  },
  onnx: (graph, { x }, { shape }) => graph.node("Reshape", [x, graph.integers(shape)]),
  reference: ({ x }, { shape }) => ({ shape, data: x.data }),
  simplify: ({ x }, { shape }) => {
    if (sameShape(x.shape, shape)) return x;
    const from = source(x);
    return from === x ? null : sameShape(from.shape, shape) ? from : reshape(from, { shape });
  },
  examples: [
    { inputs: [[2, 6]], attributes: { shape: [3, 4] } },
    { inputs: [[4]], attributes: { shape: [2, 1, 2] } },
    { inputs: [[1]], attributes: { shape: [] } },
  ],
  rejects: [{ inputs: [[2, 3]], attributes: { shape: [4] }, message: /\[2 3\] has 6 elements, \[4\] has 4/ }],
});
