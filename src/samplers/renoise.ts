import { pairs } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { zerosLike } from "../ops/index.js";
import type { Path } from "../paths/index.js";
import { insistSteps } from "./checks.js";
import { type Sampler, type SamplerOptions, samplerOn, stepProgram } from "./sampler.js";

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

/** SoFlow's first way to sample: every step of N goes to data and, but for the last, back to noise. */
export const renoiseSteps = ({ steps }: SamplerOptions): Sampler => {
  insistSteps("renoise", steps);
  const about = "solution function down to data, noise put back between steps; 1 evaluation a step";
  return samplerOn("solution", about, ({ f, path }) => {
    const next = renoise((x, t) => f(x, t, zerosLike(t)), path);
    return {
      programs: { step: stepProgram(["t", "tNext"], 1, (x, { t, tNext }, eps) => ({ x: next(x, t, tNext, eps) })) },
      moves: function* () {
        for (const [i, [t, tNext]] of pairs(sampleTimes(steps)).entries())
          yield { program: "step", at: { t, tNext }, fresh: i + 1 < steps };
      },
    };
  });
};
