import { sizeOf } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Lowering } from "../graph/op.js";
import { axesOf, check, defineOp, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";
import { addAt, at, fromIndices } from "./ndarray.js";

const integer = { zero: "an index has no tangent" };

/** Rows of a table.   table [N …], indices int64 [B] → y [B …]. An index outside 0 … N−1 is an error at run time. */
export const gather: OpFunction<readonly ["table", "indices"]> = defineOp({
  name: "gather",
  inputs: ["table", "indices"],
  infer: ({ table, indices }) => {
    const [B] = axesOf("indices", indices, "B");
    check(table.shape.length > 0 && indices.dtype === "int64", "table must have rows, indices must be int64");
    return { dtype: table.dtype, shape: [B, ...table.shape.slice(1)] };
  },
  wrt: {
    table: {
      adjoint: (ct, { table, indices }) => {
        const rows = ct.reshape([ct.dim(0), sizeOf(table.shape.slice(1))]);
        return scatterAdd(rows, indices, { rows: table.dim(0) }).reshape(table.shape);
      },
    },
    indices: integer,
  },
  onnx: (graph, { table, indices }) => graph.node("Gather", [table, indices], { attributes: { axis: 0 } }),
  reference: ({ table, indices }, _, { shape }) =>
    fromIndices(shape, (index) => at(table, [nth(indices.data, nth(index, 0)), ...index.slice(1)])),
  examples: [
    example("[5 3] int64[4]", {}, { below: 5 }),
    example("[2 1] int64[6]", {}, { below: 2 }),
    example("[4 2 3 1] int64[5]", {}, { below: 4 }),
    example("bool[3 2 2] int64[4]", {}, { below: 2 }),
  ],
  rejects: [
    reject("[5 3] [4]", /table must have rows, indices must be int64: table is float32\[5 3\].* float32\[4\]/),
    reject("[] int64[4]", /table must have rows, indices must be int64: table is float32\[\]/),
  ],
});

const oneHot = (graph: Lowering, indices: string, rows: number): string => {
  const column = graph.node("Unsqueeze", [indices, graph.integers([1])]);
  const hit = graph.node("Equal", [column, graph.integers([...Array(rows).keys()])]);
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
    const [[B, D], [count]] = [axesOf("x", x, "B D"), axesOf("indices", indices, "B")];
    check(x.dtype === "float32" && indices.dtype === "int64", "x must be float32, indices int64");
    check(count === B, `x has ${B} rows, indices ${count}`);
    return { dtype: x.dtype, shape: [rows, D] };
  },
  wrt: { x: { adjoint: (ct, { indices }) => gather(ct, indices) }, indices: integer },
  onnx: (graph, { x, indices }, { rows }) =>
    graph.node("Gemm", [oneHot(graph, indices, rows), x], { attributes: { transA: 1 } }),
  reference: ({ x, indices }, _, { shape }) => {
    const [, D] = axesOf("x", x, "B D");
    const y = { shape, data: new Float64Array(sizeOf(shape)) };
    x.data.forEach((value, i) => {
      addAt(y, nth(indices.data, Math.floor(i / D)) * D + (i % D), value);
    });
    return y;
  },
  examples: [
    example("[4 3] int64[4]", { rows: 5 }, { below: 5 }),
    example("[6 1] int64[6]", { rows: 2 }, { below: 2 }),
  ],
  rejects: [
    reject("[4 3] int64[5]", /x has 4 rows, indices 5: x is float32\[4 3\].*, indices is int64\[5\]/, { rows: 9 }),
    reject("[4 3] [4]", /x must be float32, indices int64/, { rows: 9 }),
    reject("[4] int64[4]", /x must have 2 axes, B D: x is float32\[4\]/, { rows: 9 }),
  ],
});
