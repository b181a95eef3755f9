import type { Shape } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Attributes, NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOne, check, makeOp } from "./define.js";
import { example, reject } from "./examples.js";
import { mul } from "./mul.js";
import { rowsOf } from "./ndarray.js";
import { neg } from "./neg.js";
import { floatRows } from "./softmax.js";
import { square } from "./square.js";
import { sub } from "./sub.js";
import { reduceMean } from "./sum.js";

const lastAxis = { axes: [-1] };
type Epsilon = Attributes & { readonly epsilon: number };

/** r (g − mean g − y · mean(y g)): how the normalised row moves with x; symmetric, so both modes use it. */
const project = (g: Tensor, y: Tensor, r: Tensor): Tensor => {
  const along = sub(g, mul(y, reduceMean(mul(y, g), lastAxis)));
  return mul(r, sub(along, reduceMean(g, lastAxis)));
};

/** The two results: the normalised rows, and the inverse deviation of each. */
const both = <T extends NonNullable<unknown> | null>(results: readonly T[]): readonly [y: T, r: T] => [
  nth(results, 0),
  nth(results, 1),
];

const oneEach = (shape: Shape): Shape => [...shape.slice(0, -1), 1];

/** 1 / √(variance + ε) of a row, and the row with mean 0 and variance 1. */
const normalised = (row: Float64Array, epsilon: number) => {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const r = 1 / Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length + epsilon);
  return { r, y: row.map((value) => (value - mean) * r) };
};

const reference = (x: NdArray, epsilon: number): NdArray[] => {
  const rows = rowsOf(x).map((row) => normalised(row, epsilon));
  return [
    { shape: x.shape, data: Float64Array.from(rows.flatMap(({ y }) => [...y])) },
    { shape: oneEach(x.shape), data: Float64Array.from(rows, ({ r }) => r) },
  ];
};

const layerNormOp = makeOp<"x", Epsilon>({
  name: "layerNorm",
  inputs: ["x"],
  infer: ({ x }, { epsilon }) => {
    check(epsilon > 0, `epsilon is ${epsilon}; it must be above 0`);
    return [floatRows({ x }), { dtype: x.dtype, shape: oneEach(x.shape) }];
  },
  wrt: {
    x: {
      jvp: (_, dx, { outputs }) => {
        const [y, r] = both(outputs);
        return [
          project(dx, y, r),
          neg(mul(square(r), reduceMean(mul(y, dx), lastAxis))), // dr = −r² · mean(y dx)
        ];
      },
      vjp: ({ x }, cotangents, { outputs }) => {
        const [[y, r], [ctY, ctR]] = [both(outputs), both(cotangents)];
        const fromY = ctY ? project(ctY, y, r) : null;
        if (!ctR) return fromY;
        const fromR = mul(mul(mul(ctR, square(r)), y), -1 / x.dim(-1));
        return fromY ? sub(fromY, neg(fromR)) : fromR;
      },
    },
  },
  onnx: (graph, names, { epsilon }, { x }) => {
    const size = x.dim(-1);
    const ones = graph.constant(new Float32Array(size).fill(1), { dtype: x.dtype, shape: [size] });
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    const results = graph.nodes("LayerNormalization", [names.x, ones], 3, { attributes });
    return [nth(results, 0), nth(results, 2)];
  },
  reference: ({ x }, { epsilon }) => reference(x, epsilon),
  examples: [
    example("[2 5]", { epsilon: 1e-6 }),
    example("[2 3 4]", { epsilon: 1e-3 }),
    example("[6]", { epsilon: 1e-5 }),
  ],
  rejects: [
    reject("[]", /x must be a float tensor with at least one axis: x is float32\[\]/, { epsilon: 1e-6 }),
    reject("[3]", /epsilon is 0; it must be above 0/, { epsilon: 0 }),
  ],
});

/** y = (x − mean) / √(variance + ε) over the last axis, no affine part. The derivative reuses y and the inverse deviation. */
export const layerNorm = Object.assign(
  (x: Tensor, attributes: { readonly epsilon: number }): Tensor => applyOne(layerNormOp, [x], attributes),
  { op: layerNormOp },
);
