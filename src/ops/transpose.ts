import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction } from "./define.js";
import { fromIndices } from "./ndarray.js";

type Order = { readonly order: readonly number[] };
const inverse = (order: readonly number[]): readonly number[] => order.map((_, axis) => order.indexOf(axis));
const isIdentity = (order: readonly number[]): boolean => order.every((from, axis) => from === axis);

/** Axis i of the result is axis order[i] of x. */
export const transpose: OpFunction<readonly ["x"], Order> = defineOp({
  name: "transpose",
  inputs: ["x"],
  infer: ({ x }, { order }) => {
    const sorted = [...order].sort((a, b) => a - b);
    check(
      order.length === x.shape.length && isIdentity(sorted),
      `order [${order.join(" ")}] is not a permutation of ${x.shape.length} axes`,
    );
    return { dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => transpose(dx, attributes),
      vjp: (_, ct, { attributes: { order } }) => transpose(ct, { order: inverse(order) }),
    },
  },
  onnx: (graph, { x }, { order }) => graph.node("Transpose", [x], { attributes: { perm: order } }),
  reference: ({ x }, { order }, [y]) =>
    fromIndices(y!.shape, (index) => {
      const from = inverse(order);
      return x.data[x.shape.reduce((n, size, axis) => n * size + index[from[axis]!]!, 0)]!;
    }),
  simplify: ({ x }, { order }) => {
    if (isIdentity(order)) return x;
    if (x.node.op !== transpose.op) return null;
    const inner = x.node.attributes.order as readonly number[];
    const both = order.map((axis) => inner[axis]!);
    return isIdentity(both) ? x.node.inputs[0]! : transpose(x.node.inputs[0]!, { order: both });
  },
  examples: [
    { inputs: [[2, 3]], attributes: { order: [1, 0] } },
    { inputs: [[2, 3, 4, 5]], attributes: { order: [0, 2, 1, 3] } },
    { inputs: [[2, 3, 4]], attributes: { order: [2, 0, 1] } },
  ],
  rejects: [
    { inputs: [[2, 3]], attributes: { order: [0] }, message: /order \[0\] is not a permutation of 2 axes/ },
    { inputs: [[2, 3]], attributes: { order: [1, 1] }, message: /not a permutation/ },
  ],
});

/** Exchanges the last two axes. */
export const swapLast = (x: Tensor): Tensor => {
  const order = x.shape.map((_, axis) => axis);
  return transpose(x, { order: [...order.slice(0, -2), x.rank - 1, x.rank - 2] });
};
