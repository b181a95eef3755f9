import { type HostArray, sizeOf, type TensorType } from "../graph/dtype.js";
import { encodeModel, type OnnxNode } from "../onnx/model.js";
import { key } from "../random/random.js";
import type { Program, Runtime } from "./runtime.js";

/** The products of a DiT-S block's MLP at 2,048 tokens: x [N D] → x·up [N H] → (x·up)·down [N D], and so on. */
const SIZES = { tokens: 2048, width: 384, hidden: 1536 };
const PRODUCTS = 10;
const ROUNDS = 7;

export type MatmulRate = {
  /** Median over the rounds, in 1e9 float32 operations (additions and multiplications) per second. */
  readonly gflops: number;
  /** (fastest − slowest) / median of the rounds: how far to trust it. */
  readonly spread: number;
};

const matrix = (...shape: number[]): TensorType => ({ dtype: "float32", shape });

const chain = (): Program => {
  const { tokens, width, hidden } = SIZES;
  const value = (i: number) => (i === 0 ? "x" : i === PRODUCTS ? "y" : `x${i}`);
  const nodes = Array.from({ length: PRODUCTS }, (_, i): OnnxNode => {
    const inputs = [value(i), i % 2 === 0 ? "up" : "down"];
    return { name: `product${i}`, type: "Gemm", inputs, outputs: [value(i + 1)] };
  });
  const inputs = { x: matrix(tokens, width), up: matrix(width, hidden), down: matrix(hidden, width) };
  const outputs = { y: matrix(tokens, width) };
  const bytes = encodeModel({ name: "matmulRate", nodes, constants: [], inputs, outputs });
  return { name: "matmulRate", bytes, inputs, outputs };
};

/** Entries of variance 1 / rows, so that a chain of products neither grows nor fades. */
const entries = (name: string, { shape }: TensorType): HostArray =>
  key(0)
    .fold(name)
    .normal(sizeOf(shape))
    .map((z) => z / Math.sqrt(shape[0]!));

const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1]!;

/**
 * What this machine's matrix products run at: a chain of float32 products in one program, after a warm-up. Takes about
 * two seconds at 100 GFLOP/s.
 */
export const matmulRate = async (runtime: Runtime): Promise<MatmulRate> => {
  const program = chain();
  const executable = await runtime.compile(program);
  const inputs = Object.fromEntries(
    Object.entries(program.inputs).map(([name, type]) => [name, runtime.tensor(type, entries(name, type))]),
  );
  const outputs = { y: runtime.tensor(program.outputs.y!) };
  const operations = PRODUCTS * 2 * SIZES.tokens * SIZES.width * SIZES.hidden;
  const rates: number[] = [];
  await executable.run(inputs, outputs);
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await executable.run(inputs, outputs);
    rates.push(operations / (performance.now() - start) / 1e6);
  }
  for (const tensor of [...Object.values(inputs), outputs.y]) tensor.dispose();
  executable.release();
  rates.sort((a, b) => a - b);
  return { gflops: median(rates), spread: (rates.at(-1)! - rates[0]!) / median(rates) };
};
