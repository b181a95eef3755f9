import { pairs } from "../graph/lists.js";
import { insistSteps } from "./checks.js";
import { sampleTimes } from "./renoise.js";
import { type Sampler, type SamplerOptions, samplerOn, stepProgram } from "./sampler.js";

/**
 * Steps along the trajectory by the solution function itself: x ← f(x, t_i, t_{i+1}), t_i = 1 − i/N. MeanFlow's sampler,
 * arXiv:2505.13447, and the second of SoFlow's, arXiv:2512.15657.
 */
export const solutionSteps = ({ steps }: SamplerOptions): Sampler => {
  insistSteps("solution", steps);
  const about = "solution function along the trajectory, without noise; 1 evaluation a step";
  return samplerOn("solution", about, ({ f }) => ({
    programs: { step: stepProgram(["t", "s"], 1, (x, { t, s }) => ({ x: f(x, t, s) })) },
    moves: function* () {
      for (const [t, s] of pairs(sampleTimes(steps))) yield { program: "step", at: { t, s }, fresh: false };
    },
  }));
};
