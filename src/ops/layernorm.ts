import { isFloat } from "../graph/dtype.js";
import type { Attributes } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOp, check, makeOp, show } from "./define.js";
import { mul } from "./mul.js";
import { neg } from "./neg.js";
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

const layerNormOp = makeOp<"x", Epsilon>({
  name: "layerNorm",
  inputs: ["x"],
  infer: ({ x }, { epsilon }) => {
    check(isFloat(x.dtype) && x.shape.length > 0, `x must be a float tensor with at least one axis, got ${show(x)}`);
    check(epsilon > 0, `epsilon is ${epsilon}; it must be above 0`);
    return [x, { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] }];
  },
  wrt: {
    x: {
      jvp: (_, dx, { outputs: [y, r] }) => [
        project(dx, y!, r!),
        neg(mul(square(r!), reduceMean(mul(y!, dx), lastAxis))), // dr = −r² · mean(y dx)
      ],
      vjp: ({ x }, _, { cotangents: [ctY, ctR], outputs: [y, r] }) => {
        const fromY = ctY ? project(ctY, y!, r!) : null;
        if (!ctR) return fromY;
        const fromR = mul(mul(mul(ctR, square(r!)), y!), -1 / x.dim(-1));
        return fromY ? sub(fromY, neg(fromR)) : fromR;
      },
    },
  },
  onnx: (graph, { x }, { epsilon }, node) => {
    const size = node.inputs[0]!.dim(-1);
    const type = { dtype: node.inputs[0]!.dtype, shape: [size] };
    const ones = graph.constant(new Float32Array(size).fill(1), type);
    const [y, , r] = graph.nodes("LayerNormalization", [x, ones], 3, {
      attributes: { axis: -1, epsilon: { float: epsilon } },
    });
    return [y!, r!];
  },
  reference: ({ x }, { epsilon }) => {
    const size = x.shape.at(-1)!;
    const y = new Float64Array(x.data.length);
    const r = new Float64Array(x.data.length / size);
    for (let i = 0; i < r.length; i++) {
      const row = x.data.subarray(i * size, (i + 1) * size);
      const mean = row.reduce((a, b) => a + b, 0) / size;
      r[i] = 1 / Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size + epsilon);
      for (let j = 0; j < size; j++) y[i * size + j] = (row[j]! - mean) * r[i]!;
    }
    return [
      { shape: x.shape, data: y },
      { shape: [...x.shape.slice(0, -1), 1], data: r },
    ];
  },
  examples: [
    { inputs: [[2, 5]], attributes: { epsilon: 1e-6 } },
    { inputs: [[2, 3, 4]], attributes: { epsilon: 1e-3 } },
    { inputs: [[6]], attributes: { epsilon: 1e-5 } },
  ],
  rejects: [
    { inputs: [[]], attributes: { epsilon: 1e-6 }, message: /x must be a float tensor with at least one axis/ },
    { inputs: [[3]], attributes: { epsilon: 0 }, message: /epsilon is 0; it must be above 0/ },
  ],
});

/** y = (x − mean) / √(variance + ε) over the last axis, no affine part. The derivative reuses y and the inverse deviation. */
export const layerNorm = Object.assign(
  (x: Tensor, attributes: { readonly epsilon: number }): Tensor => applyOp(layerNormOp, [x], attributes)[0]!,
  { op: layerNormOp },
);
