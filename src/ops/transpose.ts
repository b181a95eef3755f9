import { nth } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { check } from "./define.js";
import { example, reject } from "./examples.js";
import { linear, type Unary } from "./families.js";
import { at, fromIndices } from "./ndarray.js";

type Order = { readonly order: readonly number[] };
const inverse = (order: readonly number[]): readonly number[] => order.map((_, axis) => order.indexOf(axis));
const isIdentity = (order: readonly number[]): boolean => order.every((from, axis) => from === axis);
const pick = (values: readonly number[], order: readonly number[]): readonly number[] =>
  order.map((i) => nth(values, i));

/** x and the order of its axes behind a transposition. */
const behind = ({ node: { op, inputs, attributes } }: Tensor): { x: Tensor; order: readonly number[] } | undefined =>
  op === transpose.op && Array.isArray(attributes.order) ? { x: nth(inputs, 0), order: attributes.order } : undefined;

/** Axis i of the result is axis order[i] of x. */
export const transpose: Unary<Order> = linear({
  name: "transpose",
  infer: (x, { order }) => {
    const isPermutation = order.length === x.shape.length && isIdentity([...order].sort((a, b) => a - b));
    check(isPermutation, `order [${order.join(" ")}] is not a permutation of ${x.shape.length} axes`);
    return { dtype: x.dtype, shape: pick(x.shape, order) };
  },
  adjoint: (ct, _, { attributes }) => transpose(ct, { order: inverse(attributes.order) }),
  onnx: (graph, x, { order }) => graph.node("Transpose", [x], { attributes: { perm: order } }),
  reference: (x, { order }, y) => {
    const from = inverse(order);
    return fromIndices(y.shape, (index) => at(x, pick(index, from)));
  },
  simplify: (x, { order }) => {
    if (isIdentity(order)) return x;
    const inner = behind(x);
    if (!inner) return null;
    const both = pick(inner.order, order);
    return isIdentity(both) ? inner.x : transpose(inner.x, { order: both });
  },
  examples: [
    example("[2 3]", { order: [1, 0] }),
    example("[2 3 4 5]", { order: [0, 2, 1, 3] }),
    example("[2 3 4]", { order: [2, 0, 1] }),
  ],
  rejects: [
    reject("[2 3]", /order \[0\] is not a permutation of 2 axes: x is float32\[2 3\]/, { order: [0] }),
    reject("[2 3]", /not a permutation/, { order: [1, 1] }),
  ],
});

/** Exchanges the last two axes. */
export const swapLast = (x: Tensor): Tensor => {
  const order = x.shape.map((_, axis) => axis);
  return transpose(x, { order: [...order.slice(0, -2), x.rank - 1, x.rank - 2] });
};
