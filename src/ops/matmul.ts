import type { Shape } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Lowering, NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { check, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";
import { bilinear } from "./families.js";
import { at, broadcastShapes, fromIndices } from "./ndarray.js";

/** Flags as BLAS has them: transposeA reads a as its transpose (last two axes); alpha scales the product. */
export type MatmulOptions = { readonly transposeA?: boolean; readonly transposeB?: boolean; readonly alpha?: number };

/** Rows and columns of op(a). */
const matrixOf = (shape: Shape, transposed = false): readonly [rows: number, columns: number] => {
  const [rows, columns] = [nth(shape, shape.length - 2), nth(shape, shape.length - 1)];
  return transposed ? [columns, rows] : [rows, columns];
};

/** op(a)·op(b) and its two derivatives are products of the same three kinds; the flags say which side is transposed. */
const gradA = (b: Tensor, ct: Tensor, { transposeA = false, transposeB = false, alpha = 1 }: MatmulOptions): Tensor =>
  transposeA
    ? matmul(b, ct, { transposeA: transposeB, transposeB: true, alpha }) // ā = op(b)·ȳᵀ
    : matmul(ct, b, { transposeB: !transposeB, alpha }); //                 ā = ȳ·op(b)ᵀ

const gradB = (a: Tensor, ct: Tensor, { transposeA = false, transposeB = false, alpha = 1 }: MatmulOptions): Tensor =>
  transposeB
    ? matmul(ct, a, { transposeA: true, transposeB: transposeA, alpha }) // b̄ = ȳᵀ·op(a)
    : matmul(a, ct, { transposeA: !transposeA, alpha }); //                 b̄ = op(a)ᵀ·ȳ

const loops = (a: NdArray, b: NdArray, shape: Shape, { transposeA, transposeB, alpha = 1 }: MatmulOptions): NdArray => {
  const [, inner] = matrixOf(a.shape, transposeA);
  return fromIndices(shape, (index) => {
    const batch = index.slice(0, -2);
    const [i, j] = matrixOf(index);
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
  sides: readonly (readonly [name: string, x: Tensor, transposed: boolean])[],
  alpha: (product: string) => string,
): string => {
  const turned = sides.map(([name, { rank }, transposed]) => {
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return transposed ? graph.node("Transpose", [name], { attributes: { perm } }) : name;
  });
  return alpha(graph.node("MatMul", turned));
};

/**
 * y = α · op(a) · op(b) over the last two axes; leading axes broadcast.   a [… M K], b [… K N] → y [… M N]
 * Lowered to Gemm for two matrices, MatMul or FusedMatMul for batches.
 */
export const matmul: OpFunction<readonly ["a", "b"], MatmulOptions> = bilinear({
  name: "matmul",
  inputs: ["a", "b"],
  infer: ({ a, b }, { transposeA, transposeB }) => {
    check(a.shape.length >= 2 && b.shape.length >= 2, "both need two axes");
    const [[M, K], [rows, N]] = [matrixOf(a.shape, transposeA), matrixOf(b.shape, transposeB)];
    check(K === rows, `the inner axes differ, ${K} and ${rows}`);
    return { dtype: a.dtype, shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), M, N] };
  },
  wrt: {
    a: { adjoint: (ct, { b }, { attributes }) => gradA(b, ct, attributes) },
    b: { adjoint: (ct, { a }, { attributes }) => gradB(a, ct, attributes) },
  },
  onnx: (graph, { a, b }, { transposeA = false, transposeB = false, alpha = 1 }, { inputs }) => {
    const attributes = { transA: +transposeA, transB: +transposeB, alpha: { float: alpha } };
    if (inputs.a.rank === 2 && inputs.b.rank === 2) return graph.node("Gemm", [a, b], { attributes });
    if (!transposeA && !transposeB && alpha === 1) return graph.node("MatMul", [a, b]);
    if (!graph.standard) return graph.node("FusedMatMul", [a, b], { domain: "com.microsoft", attributes });
    const sides = [[a, inputs.a, transposeA] as const, [b, inputs.b, transposeB] as const];
    return standardProduct(graph, sides, (product) =>
      alpha === 1 ? product : graph.node("Mul", [product, graph.scalar(alpha, inputs.a.dtype)]),
    );
  },
  reference: ({ a, b }, attributes, { shape }) => loops(a, b, shape, attributes),
  examples: [
    example("[2 3] [3 4]"),
    example("[3 2] [4 3]", { transposeA: true, transposeB: true, alpha: 0.5 }),
    example("[2 3] [4 3]", { transposeB: true }),
    example("[3 2] [3 4]", { transposeA: true }),
    example("[5 2 3] [3 4]"),
    example("[2 5 2 3] [2 5 4 3]", { transposeB: true, alpha: 0.25 }),
    example("[2 3 2] [2 3 4]", { transposeA: true }),
    example("[2 3 2] [2 4 3]", { transposeA: true, transposeB: true }),
  ],
  rejects: [
    reject("[2 3] [4 5]", /inner axes differ, 3 and 4: a is float32\[2 3\] from input x0, b is float32\[4 5\]/),
    reject("[3] [3 4]", /both need two axes: a is float32\[3\]/),
    reject("[2 2 3] [3 3 4]", /do not broadcast/),
  ],
});

/** Whether `x` is a product of two matrices, the form whose bias Gemm can add. */
export const isGemm = (x: Tensor): boolean => x.node.op === matmul.op && x.node.inputs.every((t) => t.rank === 2);
