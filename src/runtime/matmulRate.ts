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
  /** Half the range between the quartiles, in the same unit: how far to trust it. */
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

/** The p-quantile of some numbers, 0 ≤ p ≤ 1. */
export const quantile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!;
};

/** A measurement that can be repeated, between those of something else. */
export type RateMeter = { readonly round: () => Promise<number>; readonly close: () => void };

/** Prepares the chain of products; each `round` runs it once and gives its rate in GFLOP/s. */
export const openRateMeter = async (runtime: Runtime): Promise<RateMeter> => {
  const program = chain();
  const executable = await runtime.compile(program);
  const inputs = Object.fromEntries(
    Object.entries(program.inputs).map(([name, type]) => [name, runtime.tensor(type, entries(name, type))]),
  );
  const outputs = { y: runtime.tensor(program.outputs.y!) };
  const operations = PRODUCTS * 2 * SIZES.tokens * SIZES.width * SIZES.hidden;
  const round = async (): Promise<number> => {
    const start = performance.now();
    await executable.run(inputs, outputs);
    return operations / (performance.now() - start) / 1e6;
  };
  const close = (): void => {
    executable.release();
    for (const tensor of [...Object.values(inputs), outputs.y]) tensor.dispose();
  };
  return { round, close };
};

/**
 * What this machine's matrix products run at: a chain of float32 products in one program, after a warm-up. Takes about
 * two seconds at 100 GFLOP/s.
 */
export const matmulRate = async (runtime: Runtime): Promise<MatmulRate> => {
  const { round, close } = await openRateMeter(runtime);
  const rates: number[] = [];
  for (let i = 0; i <= ROUNDS; i++) rates.push(await round());
  close();
  const warm = rates.slice(1);
  return { gflops: quantile(warm, 0.5), spread: (quantile(warm, 0.75) - quantile(warm, 0.25)) / 2 };
};
