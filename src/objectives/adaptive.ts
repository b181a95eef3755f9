import type { Tensor } from "../graph/tensor.js";
import { add, pow, stopGradient } from "../ops/index.js";

/** Power and offset of the adaptive weight. */
export type Adaptive = { readonly power: number; readonly epsilon: number };

/** The mean over everything but the batch: one number for each sample.   x [B C H W] → [B 1 1 1] */
export const perSample = (x: Tensor): Tensor => x.mean([1, 2, 3]);

/** w = sg[1 / (m + ε)^p], which makes large errors count less; p = 0 is the plain squared error.   m [B 1 1 1] */
export const adaptiveWeight = (m: Tensor, { power, epsilon }: Adaptive): Tensor =>
  stopGradient(pow(add(m, epsilon), { exponent: -power }));
