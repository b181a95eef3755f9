import { type Shape, sameShape } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { check, show } from "./define.js";
import { example, reject } from "./examples.js";
import { linear, type Unary } from "./families.js";
import { mul } from "./mul.js";
import { at, broadcastShapes, fromIndices, normalAxis, setAt } from "./ndarray.js";
import { reshape } from "./reshape.js";

export type Axes = { readonly axes: readonly number[] };

/** The shape with `axes` reduced to 1. */
const keepAxes = (shape: Shape, axes: readonly number[]): Shape => {
  check(axes.length > 0, "axes is empty; name at least one axis");
  const normal = axes.map((axis) => normalAxis(axis, shape.length));
  check(new Set(normal).size === axes.length, `axes [${axes.join(" ")}] repeats an axis`);
  return shape.map((size, axis) => (normal.includes(axis) ? 1 : size));
};

/** The sum of every group of elements that `kept` (sizes 1 where reduced) collapses. */
const sums = (x: NdArray, kept: Shape): NdArray => {
  const y = fromIndices(kept, () => 0);
  fromIndices(x.shape, (index) => {
    setAt(y, index, at(y, index) + at(x, index));
    return 0;
  });
  return y;
};

const tested = {
  examples: [example("[2 3 4]", { axes: [1] }), example("[2 3 4]", { axes: [0, -1] }), example("[5]", { axes: [0] })],
  rejects: [
    reject("[2 3]", /axis 2 is outside a tensor of rank 2/, { axes: [2] }),
    reject("[2 3]", /axes is empty/, { axes: [] }),
    reject("[2 3]", /axes \[1 -1\] repeats an axis/, { axes: [1, -1] }),
  ],
};

/** y = Σ x over `axes`, which stay with size 1. */
export const reduceSum: Unary<Axes> = linear({
  name: "reduceSum",
  infer: (x, { axes }) => ({ dtype: x.dtype, shape: keepAxes(x.shape, axes) }),
  adjoint: (ct, { shape }) => broadcastTo(ct, { shape }),
  onnx: (graph, x, { axes }) => graph.node("ReduceSum", [x, graph.integers(axes)], { attributes: { keepdims: 1 } }),
  reference: (x, _, { shape }) => sums(x, shape),
  ...tested,
});

const count = (x: Tensor, y: Tensor): number =>
  x.shape.reduce((n, size, axis) => n * (y.shape[axis] === size ? 1 : size), 1);

/** y = the mean of x over `axes`, which stay with size 1. */
export const reduceMean: Unary<Axes> = linear({
  name: "reduceMean",
  infer: (x, { axes }) => ({ dtype: x.dtype, shape: keepAxes(x.shape, axes) }),
  adjoint: (ct, x, { y }) => broadcastTo(mul(ct, 1 / count(x, y)), { shape: x.shape }),
  onnx: (graph, x, { axes }) => graph.node("ReduceMean", [x, graph.integers(axes)], { attributes: { keepdims: 1 } }),
  reference: (x, _, { shape }) => {
    const { data } = sums(x, shape);
    return { shape, data: data.map((value) => (value * data.length) / x.data.length) };
  },
  ...tested,
});

/** Undoes broadcasting: sums `x` over the axes along which a tensor of `shape` was repeated. */
export const sumTo = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x;
  const surplus = x.rank - shape.length;
  const axes = x.shape.flatMap((size, axis) =>
    axis < surplus || (shape[axis - surplus] === 1 && size !== 1) ? [axis] : [],
  );
  const summed = axes.length > 0 ? reduceSum(x, { axes }) : x;
  return sameShape(summed.shape, shape) ? summed : reshape(summed, { shape });
};

/** Repeats `x` along new leading axes and along axes of size 1. */
export const broadcastTo: Unary<{ shape: Shape }> = linear({
  name: "broadcastTo",
  repeats: true,
  infer: (x, { shape }) => {
    check(sameShape(broadcastShapes(x.shape, shape), shape), `${show(x.shape)} does not broadcast to ${show(shape)}`);
    return { dtype: x.dtype, shape };
  },
  adjoint: (ct, { shape }) => sumTo(ct, shape),
  onnx: (graph, x, { shape }) => graph.node("Expand", [x, graph.integers(shape)]),
  reference: (x, { shape }) => fromIndices(shape, (index) => at(x, index)),
  simplify: (x, { shape }) => (sameShape(x.shape, shape) ? x : null),
  examples: [
    example("[3]", { shape: [2, 3] }),
    example("[2 1 3]", { shape: [2, 4, 3] }),
    example("[]", { shape: [2, 2] }),
  ],
  rejects: [
    reject("[3]", /do not broadcast/, { shape: [2, 4] }),
    reject("[2 3]", /\[2 3\] does not broadcast to \[3\]: x is float32\[2 3\]/, { shape: [3] }),
  ],
});
