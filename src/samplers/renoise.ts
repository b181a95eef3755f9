import type { Tensor } from "../graph/tensor.js";
import type { Path } from "../paths/index.js";

/** The solution of the generative ODE from time t down to 0: x̂_0 = f(x, t, 0). */
export type ToData = (x: Tensor, t: Tensor) => Tensor;

/**
 * One of N steps of SoFlow's sampler: jump to data, then back to the noise level of the next time.
 * x̂_0 = f(x, t, 0),  x ← α(t′) x̂_0 + β(t′) ε′; at t′ = 0 that is x̂_0 itself. arXiv:2512.15657.
 */
export const renoise =
  (f: ToData, { alpha, beta }: Path) =>
  (x: Tensor, t: Tensor, tNext: Tensor, eps: Tensor): Tensor =>
    alpha(tNext).mul(f(x, t)).add(beta(tNext).mul(eps));

/** The times of N evaluations: t_i = 1 − i/N, i = 0 … N; the first is noise, the last is data. */
export const sampleTimes = (evaluations: number): number[] =>
  Array.from({ length: evaluations + 1 }, (_, i) => 1 - i / evaluations);
