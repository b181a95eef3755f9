// Reads ONNX Runtime's profiles: what each operation took, and the floating-point operations of matrix products.
import { readFileSync } from "node:fs";

const size = (shape) => shape.reduce((n, d) => n * d, 1);
const shapes = (list) => (list ?? []).map((entry) => Object.values(entry)[0]);

/** Operations of a product: 2 × output elements × the length of the inner sum. */
const operations = ({ op_name, input_type_shape, output_type_shape }) => {
  if (!/Gemm|MatMul/.test(op_name)) return 0;
  const [a, b] = shapes(input_type_shape);
  const [y] = shapes(output_type_shape);
  const [rows, columns] = y.slice(-2);
  const inner = Math.sqrt((size(a.slice(-2)) * size(b.slice(-2))) / (rows * columns));
  return 2 * size(y) * inner;
};

/** Bytes that an operation reads and writes, each tensor once. */
const traffic = ({ input_type_shape, output_type_shape }) =>
  4 * [...shapes(input_type_shape), ...shapes(output_type_shape)].reduce((n, shape) => n + size(shape), 0);

/** Events of every node of every run but the first `skip` runs: { op, node, ms, flop, bytes }, and the number of runs. */
export const readProfile = (path, skip) => {
  const events = JSON.parse(readFileSync(path, "utf8"));
  const runs = events.filter(({ name }) => name === "model_run").sort((a, b) => a.ts - b.ts);
  const from = runs[skip]?.ts ?? Number.POSITIVE_INFINITY;
  const nodes = events
    .filter(({ cat, name, ts }) => cat === "Node" && name.endsWith("_kernel_time") && ts >= from)
    .map(({ name, dur, args }) => ({
      op: args.op_name,
      node: name.replace(/_kernel_time$/, ""),
      ms: dur / 1000,
      flop: operations(args),
      bytes: traffic(args),
    }));
  return { nodes, runs: runs.length - skip };
};
