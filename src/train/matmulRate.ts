import { lower } from "../onnx/index.js";
import { input, matmul } from "../ops/index.js";
import type { Runtime } from "../runtime/index.js";

const [ROWS, INNER, OUTER] = [2048, 384, 1536];
const PAIRS = 5;

export type MatmulRate = {
  /** Median over the rounds, in 10⁹ floating-point operations per second. */
  readonly gflops: number;
  /** Half the range between the quartiles, in the same unit. */
  readonly spread: number;
};

/** The p-quantile of some numbers, 0 ≤ p ≤ 1. */
export const quantile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!;
};

/**
 * The machine's matrix-product rate: a chain of float32 products of a transformer's sizes, 2048×384 · 384×1536 and back,
 * in one program. What nothing built on this runtime can exceed by much.
 */
export const openMatmulRate = async (runtime: Runtime) => {
  const float = (name: string, shape: readonly number[]) => input(name, { dtype: "float32", shape });
  const [up, down] = [float("up", [OUTER, INNER]), float("down", [INNER, OUTER])];
  let y = float("x", [ROWS, INNER]);
  for (let i = 0; i < PAIRS; i++) y = matmul(matmul(y, up, { transposeB: true }), down, { transposeB: true });
  const program = lower("matmul rate", { y });
  const executable = await runtime.compile(program);
  const tensors = Object.entries(program.inputs).map(([name, type]) => [name, runtime.tensor(type)] as const);
  const inputs = Object.fromEntries(tensors);
  const outputs = { y: runtime.tensor(program.outputs.y!) };
  const flops = 2 * 2 * PAIRS * ROWS * INNER * OUTER;
  /** One round: the rate in GFLOP/s. */
  return async (): Promise<number> => {
    const start = performance.now();
    await executable.run(inputs, outputs);
    return flops / 1e6 / (performance.now() - start);
  };
};

/** The rate as a median over `rounds`, after a warm-up. */
export const matmulRate = async (runtime: Runtime, rounds = 9): Promise<MatmulRate> => {
  const measure = await openMatmulRate(runtime);
  await measure();
  const rates: number[] = [];
  for (let i = 0; i < rounds; i++) rates.push(await measure());
  return { gflops: quantile(rates, 0.5), spread: (quantile(rates, 0.75) - quantile(rates, 0.25)) / 2 };
};
