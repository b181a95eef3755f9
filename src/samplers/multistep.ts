import { LEVELS, sigmaAt } from "../paths/index.js";
import { insistSteps } from "./checks.js";
import { type Sampler, type SamplerOptions, samplerOn, stepProgram } from "./sampler.js";

/**
 * Noise levels of N evaluations: σ(n / (N − 3/8)), n = 0 … N − 1, even on the scale of the Karras grid, from 80 to above
 * 0.002. The choice is ours, as papers search these levels; 3/8 puts the second of two at 0.82, near the 0.821 that is in
 * use for CIFAR-10.
 */
export const multistepLevels = (evaluations: number): readonly number[] =>
  Array.from({ length: evaluations }, (_, n) => sigmaAt(n / (evaluations - 3 / 8)));

/**
 * Multistep consistency sampling. Song et al. 2023, Algorithm 1, arXiv:2303.01469.
 * x̂_0 = f(80 ε, 80); for each further σ:  x̂_0 ← f(x̂_0 + √(σ² − σ_min²) ε′, σ).
 */
export const multistep = ({ steps }: SamplerOptions): Sampler => {
  insistSteps("multistep", steps);
  const about = "consistency function, noise put back between steps; 1 evaluation a step";
  return samplerOn("consistency", about, (f) => ({
    programs: {
      step: stepProgram(["sigma", "kick"], 1, (x, { sigma, kick }, eps) => ({ x: f(x.add(kick.mul(eps)), sigma) })),
    },
    moves: function* () {
      for (const [n, sigma] of multistepLevels(steps).entries()) {
        const kick = n === 0 ? 0 : Math.sqrt(sigma ** 2 - LEVELS.smallest ** 2); // x starts as 80 ε
        yield { program: "step", at: { sigma, kick }, fresh: n > 0 };
      }
    },
  }));
};
