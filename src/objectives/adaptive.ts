import type { Tensor } from "../graph/tensor.js";
import { add, pow, stopGradient } from "../ops/index.js";

/** Power and offset of the adaptive weight. */
export type Adaptive = { readonly power: number; readonly epsilon: number };

/** All axes but the batch. */
const sampleAxes = ({ rank }: Tensor): number[] => Array.from({ length: rank - 1 }, (_, i) => i + 1);

/** The mean over everything but the batch, one number for each sample: MEAN in the papers.   x [B …] → [B 1 …] */
export const perSample = (x: Tensor): Tensor => x.mean(sampleAxes(x));

/** The sum over everything but the batch: SUM in the papers.   x [B …] → [B 1 …] */
export const sumPerSample = (x: Tensor): Tensor => x.sum(sampleAxes(x));

/** w = sg[1 / (m + ε)^p], which makes large errors count less; p = 0 is the plain squared error.   m [B 1 …] */
export const adaptiveWeight = (m: Tensor, { power, epsilon }: Adaptive): Tensor =>
  stopGradient(pow(add(m, epsilon), { exponent: -power }));
