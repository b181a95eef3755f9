import { isFloat, type TensorType } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import { check, defineOp } from "./define.js";
import { example, reject } from "./examples.js";
import { exp } from "./exp.js";
import type { Unary } from "./families.js";
import { mul } from "./mul.js";
import { rowsOf } from "./ndarray.js";
import { sub } from "./sub.js";
import { reduceSum } from "./sum.js";

const lastAxis = { axes: [-1] };

/** The type of x, which must be floats in rows. */
export const floatRows = ({ x }: { readonly x: TensorType }): TensorType => {
  check(isFloat(x.dtype) && x.shape.length > 0, "x must be a float tensor with at least one axis");
  return x;
};

/** f applied to every row (last axis) of x. */
const byRow = (x: NdArray, f: (row: Float64Array) => Float64Array): NdArray => ({
  shape: x.shape,
  data: Float64Array.from(rowsOf(x).flatMap((row) => [...f(row)])),
});

const logSumExp = (row: Float64Array): number => {
  const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
};

const tested = {
  examples: [example("[2 5]"), example("[2 3 4]"), example("[3 1]")],
  rejects: [
    reject("[]", /x must be a float tensor with at least one axis: x is float32\[\]/),
    reject("int64[2]", /x must be a float tensor/),
  ],
};

/** y = eˣ / Σ eˣ over the last axis. */
export const softmax: Unary = defineOp({
  name: "softmax",
  inputs: ["x"],
  infer: floatRows,
  wrt: {
    x: {
      jvp: (_, dx, { y }) => mul(y, sub(dx, reduceSum(mul(y, dx), lastAxis))),
      vjp: (_, ct, { y }) => mul(y, sub(ct, reduceSum(mul(y, ct), lastAxis))), // the Jacobian is symmetric
    },
  },
  onnx: (graph, { x }) => graph.node("Softmax", [x], { attributes: { axis: -1 } }),
  reference: ({ x }) =>
    byRow(x, (row) => {
      const total = logSumExp(row);
      return row.map((value) => Math.exp(value - total));
    }),
  ...tested,
});

/** y = x − ln Σ eˣ over the last axis. */
export const logSoftmax: Unary = defineOp({
  name: "logSoftmax",
  inputs: ["x"],
  infer: floatRows,
  wrt: {
    x: {
      jvp: (_, dx, { y }) => sub(dx, reduceSum(mul(exp(y), dx), lastAxis)),
      vjp: (_, ct, { y }) => sub(ct, mul(exp(y), reduceSum(ct, lastAxis))),
    },
  },
  onnx: (graph, { x }) => graph.node("LogSoftmax", [x], { attributes: { axis: -1 } }),
  reference: ({ x }) =>
    byRow(x, (row) => {
      const total = logSumExp(row);
      return row.map((value) => value - total);
    }),
  ...tested,
});
