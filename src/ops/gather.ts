import { sizeOf } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { at, fromIndices } from "./ndarray.js";

const integer = { zero: "an index has no tangent" };

/** Rows of a table.   table [N …], indices int64 [B] → y [B …]. An index outside 0 … N−1 is an error at run time. */
export const gather: OpFunction<readonly ["table", "indices"]> = defineOp({
  name: "gather",
  inputs: ["table", "indices"],
  infer: ({ table, indices }) => {
    check(table.shape.length > 0, `table must have rows, got ${show(table)}`);
    check(
      indices.dtype === "int64" && indices.shape.length === 1,
      `indices must be int64 with one axis, got ${show(indices)}`,
    );
    return { dtype: table.dtype, shape: [indices.shape[0]!, ...table.shape.slice(1)] };
  },
  wrt: {
    table: {
      jvp: ({ indices }, dt) => gather(dt, indices),
      vjp: ({ table, indices }, ct) => {
        const rows = ct.reshape([ct.dim(0), sizeOf(table.shape.slice(1))]);
        return scatterAdd(rows, indices, { rows: table.dim(0) }).reshape(table.shape);
      },
    },
    indices: integer,
  },
  onnx: (graph, { table, indices }) => graph.node("Gather", [table, indices], { attributes: { axis: 0 } }),
  reference: ({ table, indices }, _, [y]) =>
    fromIndices(y!.shape, ([i, ...rest]) => at(table, [indices.data[i!]!, ...rest])),
  examples: [
    { inputs: [[5, 3], { shape: [4], dtype: "int64", below: 5 }] },
    { inputs: [[2, 1], { shape: [6], dtype: "int64", below: 2 }] },
    { inputs: [[4, 2, 3, 1], { shape: [5], dtype: "int64", below: 4 }] },
    {
      inputs: [
        { shape: [3, 2, 2], dtype: "bool" },
        { shape: [4], dtype: "int64", below: 3 },
      ],
    },
  ],
  rejects: [
    { inputs: [[5, 3], [4]], message: /indices must be int64 with one axis, got float32\[4\]/ },
    { inputs: [[], { shape: [4], dtype: "int64" }], message: /table must have rows, got float32\[\]/ },
  ],
});

const oneHot = (
  graph: { node(type: string, inputs: string[], options?: object): string; integers(v: readonly number[]): string },
  indices: string,
  rows: number,
): string => {
  const column = graph.node("Unsqueeze", [indices, graph.integers([1])]);
  const hit = graph.node("Equal", [column, graph.integers(Array.from({ length: rows }, (_, i) => i))]);
  return graph.node("Cast", [hit], { attributes: { to: 1 } });
};

/**
 * The adjoint of `gather`: row i of x is added to row indices[i] of a table of zeros.   x [B D], indices [B] → y [N D]
 * Lowered to a product with one-hot rows: ONNX Runtime's ScatterND adds rows of equal index in no fixed order.
 */
export const scatterAdd: OpFunction<readonly ["x", "indices"], { rows: number }> = defineOp({
  name: "scatterAdd",
  inputs: ["x", "indices"],
  infer: ({ x, indices }, { rows }) => {
    check(x.shape.length === 2 && x.dtype === "float32", `x must be a float32 matrix, got ${show(x)}`);
    check(
      indices.dtype === "int64" && indices.shape.length === 1,
      `indices must be int64 with one axis, got ${show(indices)}`,
    );
    check(indices.shape[0] === x.shape[0], `x has ${x.shape[0]} rows, indices ${indices.shape[0]}`);
    return { dtype: x.dtype, shape: [rows, x.shape[1]!] };
  },
  wrt: {
    x: {
      jvp: ({ indices }, dx, { attributes }) => scatterAdd(dx, indices, attributes),
      vjp: ({ indices }: { indices: Tensor }, ct) => gather(ct, indices),
    },
    indices: integer,
  },
  onnx: (graph, { x, indices }, { rows }) =>
    graph.node("Gemm", [oneHot(graph, indices, rows), x], { attributes: { transA: 1 } }),
  reference: ({ x, indices }, { rows }) => {
    const columns = x.shape[1]!;
    const data = new Float64Array(rows * columns);
    for (const [i, value] of x.data.entries())
      data[indices.data[Math.floor(i / columns)]! * columns + (i % columns)]! += value;
    return { shape: [rows, columns], data };
  },
  examples: [
    { inputs: [[4, 3], { shape: [4], dtype: "int64", below: 5 }], attributes: { rows: 5 } },
    { inputs: [[6, 1], { shape: [6], dtype: "int64", below: 2 }], attributes: { rows: 2 } },
  ],
  rejects: [
    { inputs: [[4, 3], { shape: [5], dtype: "int64" }], attributes: { rows: 9 }, message: /x has 4 rows, indices 5/ },
    { inputs: [[4, 3], [4]], attributes: { rows: 9 }, message: /indices must be int64/ },
    { inputs: [[4], { shape: [4], dtype: "int64" }], attributes: { rows: 9 }, message: /x must be a float32 matrix/ },
  ],
});
