import { isFloat, type TensorType } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { exp } from "./exp.js";
import { mul } from "./mul.js";
import { sub } from "./sub.js";
import { reduceSum } from "./sum.js";

const lastAxis = { axes: [-1] };

const floatRows = ({ x }: { x: TensorType }): TensorType => {
  check(isFloat(x.dtype) && x.shape.length > 0, `x must be a float tensor with at least one axis, got ${show(x)}`);
  return x;
};

/** f applied to every row (last axis) of x. */
const byRow = (x: NdArray, f: (row: Float64Array) => Float64Array): NdArray => {
  const data = new Float64Array(x.data.length);
  const size = x.shape.at(-1)!;
  for (let start = 0; start < data.length; start += size) data.set(f(x.data.subarray(start, start + size)), start);
  return { shape: x.shape, data };
};

const logSumExp = (row: Float64Array): number => {
  const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
};

const examples = [{ inputs: [[2, 5]] }, { inputs: [[2, 3, 4]] }, { inputs: [[3, 1]] }];
const rejects = [
  { inputs: [[]], message: /x must be a float tensor with at least one axis, got float32\[\]/ },
  { inputs: [{ shape: [2], dtype: "int64" as const }], message: /x must be a float tensor/ },
];

/** y = eˣ / Σ eˣ over the last axis. */
export const softmax: OpFunction<readonly ["x"]> = defineOp({
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
  examples,
  rejects,
});

/** y = x − ln Σ eˣ over the last axis. */
export const logSoftmax: OpFunction<readonly ["x"]> = defineOp({
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
  examples,
  rejects,
});
