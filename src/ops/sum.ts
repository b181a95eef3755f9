import { type Shape, sameShape } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { mul } from "./mul.js";
import { at, broadcastShapes, fromIndices, normalAxis } from "./ndarray.js";
import { reshape } from "./reshape.js";

export type Axes = { readonly axes: readonly number[] };

/** The shape with `axes` reduced to 1. */
export const keepAxes = (shape: Shape, axes: readonly number[]): Shape => {
  check(axes.length > 0, "axes is empty; name at least one axis");
  const normal = axes.map((axis) => normalAxis(axis, shape.length));
  check(new Set(normal).size === axes.length, `axes [${axes.join(" ")}] repeats an axis`);
  return shape.map((size, axis) => (normal.includes(axis) ? 1 : size));
};

/** Every group of elements that `kept` (sizes 1 where reduced) collapses, folded with `f` from `start`. */
export const fold = (x: NdArray, kept: Shape, start: number, f: (sum: number, value: number) => number): NdArray => {
  const y = fromIndices(kept, () => start);
  fromIndices(x.shape, (index) => {
    const flat = kept.reduce((n, size, axis) => n * size + (size === 1 ? 0 : index[axis]!), 0);
    const from = x.shape.reduce((n, size, axis) => n * size + index[axis]!, 0);
    y.data[flat] = f(y.data[flat]!, x.data[from]!);
    return 0;
  });
  return y;
};

const examples = [
  { inputs: [[2, 3, 4]], attributes: { axes: [1] } },
  { inputs: [[2, 3, 4]], attributes: { axes: [0, -1] } },
  { inputs: [[5]], attributes: { axes: [0] } },
];
const rejects = [
  { inputs: [[2, 3]], attributes: { axes: [2] }, message: /axis 2 is outside a tensor of rank 2/ },
  { inputs: [[2, 3]], attributes: { axes: [] }, message: /axes is empty/ },
  { inputs: [[2, 3]], attributes: { axes: [1, -1] }, message: /axes \[1 -1\] repeats an axis/ },
];

/** y = Σ x over `axes`, which stay with size 1. */
export const reduceSum: OpFunction<readonly ["x"], Axes> = defineOp({
  name: "reduceSum",
  inputs: ["x"],
  infer: ({ x }, { axes }) => ({ dtype: x.dtype, shape: keepAxes(x.shape, axes) }),
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => reduceSum(dx, attributes),
      vjp: ({ x }, ct) => broadcastTo(ct, { shape: x.shape }),
    },
  },
  onnx: (graph, { x }, { axes }) => graph.node("ReduceSum", [x, graph.integers(axes)], { attributes: { keepdims: 1 } }),
  reference: ({ x }, _, [y]) => fold(x, y!.shape, 0, (sum, value) => sum + value),
  examples,
  rejects,
});

const count = (x: Tensor, y: Tensor): number =>
  x.shape.reduce((n, size, axis) => n * (y.shape[axis] === size ? 1 : size), 1);

/** y = the mean of x over `axes`, which stay with size 1. */
export const reduceMean: OpFunction<readonly ["x"], Axes> = defineOp({
  name: "reduceMean",
  inputs: ["x"],
  infer: ({ x }, { axes }) => ({ dtype: x.dtype, shape: keepAxes(x.shape, axes) }),
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => reduceMean(dx, attributes),
      vjp: ({ x }, ct, { y }) => broadcastTo(mul(ct, 1 / count(x, y)), { shape: x.shape }),
    },
  },
  onnx: (graph, { x }, { axes }) =>
    graph.node("ReduceMean", [x, graph.integers(axes)], { attributes: { keepdims: 1 } }),
  reference: ({ x }, _, [y]) => {
    const sum = fold(x, y!.shape, 0, (total, value) => total + value);
    return { shape: sum.shape, data: sum.data.map((value) => (value * sum.data.length) / x.data.length) };
  },
  examples,
  rejects,
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
export const broadcastTo: OpFunction<readonly ["x"], { shape: Shape }> = defineOp({
  name: "broadcastTo",
  inputs: ["x"],
  infer: ({ x }, { shape }) => {
    check(sameShape(broadcastShapes(x.shape, shape), shape), `${show(x.shape)} does not broadcast to ${show(shape)}`);
    return { dtype: x.dtype, shape };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => broadcastTo(dx, attributes),
      vjp: ({ x }, ct) => sumTo(ct, x.shape),
    },
  },
  onnx: (graph, { x }, { shape }) => graph.node("Expand", [x, graph.integers(shape)]),
  reference: ({ x }, { shape }) => fromIndices(shape, (index) => at(x, index)),
  simplify: ({ x }, { shape }) => (sameShape(x.shape, shape) ? x : null),
  examples: [
    { inputs: [[3]], attributes: { shape: [2, 3] } },
    { inputs: [[2, 1, 3]], attributes: { shape: [2, 4, 3] } },
    { inputs: [[]], attributes: { shape: [2, 2] } },
  ],
  rejects: [
    { inputs: [[3]], attributes: { shape: [2, 4] }, message: /do not broadcast/ },
    { inputs: [[2, 3]], attributes: { shape: [3] }, message: /\[2 3\] does not broadcast to \[3\]/ },
  ],
});
