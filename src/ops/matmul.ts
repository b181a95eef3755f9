import type { Shape } from "../graph/dtype.js";
import type { Lowering, NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { at, broadcastShapes, fromIndices } from "./ndarray.js";

/** Flags as BLAS has them: transposeA reads a as its transpose (last two axes); alpha scales the product. */
export type MatmulOptions = { readonly transposeA?: boolean; readonly transposeB?: boolean; readonly alpha?: number };

const rows = (shape: Shape, transposed = false): number => shape.at(transposed ? -1 : -2)!;
const columns = (shape: Shape, transposed = false): number => shape.at(transposed ? -2 : -1)!;

/** op(a)·op(b) and its two derivatives are products of the same three kinds; the flags say which side is transposed. */
const gradA = (b: Tensor, ct: Tensor, { transposeA = false, transposeB = false, alpha = 1 }: MatmulOptions): Tensor =>
  transposeA
    ? matmul(b, ct, { transposeA: transposeB, transposeB: true, alpha }) // ā = op(b)·ȳᵀ
    : matmul(ct, b, { transposeB: !transposeB, alpha }); //                 ā = ȳ·op(b)ᵀ

const gradB = (a: Tensor, ct: Tensor, { transposeA = false, transposeB = false, alpha = 1 }: MatmulOptions): Tensor =>
  transposeB
    ? matmul(ct, a, { transposeA: true, transposeB: transposeA, alpha }) // b̄ = ȳᵀ·op(a)
    : matmul(a, ct, { transposeA: !transposeA, alpha }); //                 b̄ = op(a)ᵀ·ȳ

const product = (
  a: NdArray,
  b: NdArray,
  shape: Shape,
  { transposeA, transposeB, alpha = 1 }: MatmulOptions,
): NdArray => {
  const inner = columns(a.shape, transposeA);
  return fromIndices(shape, (index) => {
    const batch = index.slice(0, -2);
    const [i, j] = index.slice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum +=
        at(a, [...batch, ...(transposeA ? [k, i] : [i, k])]) * at(b, [...batch, ...(transposeB ? [j, k] : [k, j])]);
    return alpha * sum;
  });
};

/** The same in ONNX's own operations. */
const standardProduct = (
  graph: Lowering,
  names: readonly [string, string],
  flags: readonly [boolean, boolean],
  alpha: number,
  inputs: readonly Tensor[],
): string => {
  const sides = names.map((name, i) => {
    const rank = inputs[i]!.rank;
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return flags[i] ? graph.node("Transpose", [name], { attributes: { perm } }) : name;
  });
  const product = graph.node("MatMul", sides);
  return alpha === 1 ? product : graph.node("Mul", [product, graph.scalar(alpha, inputs[0]!.dtype)]);
};

/**
 * y = α · op(a) · op(b) over the last two axes; leading axes broadcast.   a [… M K], b [… K N] → y [… M N]
 * Lowered to Gemm for two matrices, MatMul or FusedMatMul for batches.
 */
export const matmul: OpFunction<readonly ["a", "b"], MatmulOptions> = defineOp({
  name: "matmul",
  inputs: ["a", "b"],
  infer: ({ a, b }, { transposeA, transposeB }) => {
    check(
      a.shape.length >= 2 && b.shape.length >= 2,
      `both need two axes: a is ${show(a.shape)}, b is ${show(b.shape)}`,
    );
    check(a.dtype === b.dtype, `the element types differ: a is ${show(a)}, b is ${show(b)}`);
    const inner = columns(a.shape, transposeA) === rows(b.shape, transposeB);
    check(
      inner,
      `the inner axes differ: op(a) has ${columns(a.shape, transposeA)} columns, op(b) has ${rows(b.shape, transposeB)} rows`,
    );
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return { dtype: a.dtype, shape: [...batch, rows(a.shape, transposeA), columns(b.shape, transposeB)] };
  },
  wrt: {
    a: {
      jvp: ({ b }, da, { attributes }) => matmul(da, b, attributes),
      vjp: ({ b }, ct, { attributes }) => gradA(b, ct, attributes),
    },
    b: {
      jvp: ({ a }, db, { attributes }) => matmul(a, db, attributes),
      vjp: ({ a }, ct, { attributes }) => gradB(a, ct, attributes),
    },
  },
  onnx: (graph, { a, b }, { transposeA = false, transposeB = false, alpha = 1 }, node) => {
    if (node.inputs.every((x) => x.rank === 2)) {
      const attributes = { transA: +transposeA, transB: +transposeB, alpha: { float: alpha } };
      return graph.node("Gemm", [a, b], { attributes });
    }
    if (!transposeA && !transposeB && alpha === 1) return graph.node("MatMul", [a, b]);
    if (graph.standard) return standardProduct(graph, [a, b], [transposeA, transposeB], alpha, node.inputs);
    const attributes = { transA: +transposeA, transB: +transposeB, alpha: { float: alpha } };
    return graph.node("FusedMatMul", [a, b], { domain: "com.microsoft", attributes });
  },
  reference: ({ a, b }, attributes, [y]) => product(a, b, y!.shape, attributes),
  examples: [
    {
      inputs: [
        [2, 3],
        [3, 4],
      ],
    },
    {
      inputs: [
        [3, 2],
        [4, 3],
      ],
      attributes: { transposeA: true, transposeB: true, alpha: 0.5 },
    },
    {
      inputs: [
        [2, 3],
        [4, 3],
      ],
      attributes: { transposeB: true },
    },
    {
      inputs: [
        [3, 2],
        [3, 4],
      ],
      attributes: { transposeA: true },
    },
    {
      inputs: [
        [5, 2, 3],
        [3, 4],
      ],
    },
    {
      inputs: [
        [2, 5, 2, 3],
        [2, 5, 4, 3],
      ],
      attributes: { transposeB: true, alpha: 0.25 },
    },
    {
      inputs: [
        [2, 3, 2],
        [2, 3, 4],
      ],
      attributes: { transposeA: true },
    },
    {
      inputs: [
        [2, 3, 2],
        [2, 4, 3],
      ],
      attributes: { transposeA: true, transposeB: true },
    },
  ],
  rejects: [
    {
      inputs: [
        [2, 3],
        [4, 5],
      ],
      message: /inner axes differ: op\(a\) has 3 columns, op\(b\) has 4 rows/,
    },
    { inputs: [[3], [3, 4]], message: /both need two axes: a is \[3\]/ },
    { inputs: [[2, 3], { shape: [3, 4], dtype: "float64" }], message: /element types differ/ },
    {
      inputs: [
        [2, 2, 3],
        [3, 3, 4],
      ],
      message: /do not broadcast/,
    },
  ],
});

/** Whether `x` is a product of two matrices, the form whose bias Gemm can add. */
export const isGemm = (x: Tensor): boolean => x.node.op === matmul.op && x.node.inputs.every((t) => t.rank === 2);
