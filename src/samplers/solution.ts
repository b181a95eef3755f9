import { insistSteps } from "./checks.js";
import { sampleTimes } from "./renoise.js";
import type { Sampler, SamplerOptions, Step } from "./sampler.js";

/**
 * Steps along the trajectory by the solution function itself: x ← f(x, t_i, t_{i+1}), t_i = 1 − i/N. MeanFlow's sampler,
 * arXiv:2505.13447, and the second of SoFlow's, arXiv:2512.15657.
 */
export const solutionSteps = ({ steps }: SamplerOptions): Sampler => {
  insistSteps("solution", steps);
  return {
    needs: "solution",
    about: "solution function along the trajectory, without noise; 1 evaluation a step",
    plan: ({ solution }) => {
      const times = sampleTimes(steps);
      const step: Step = (x, { t, s }) => ({ x: solution!.f(x, t!, s!) });
      return {
        programs: { step: { numbers: ["t", "s"], step, evaluations: 1 } },
        moves: function* () {
          for (let i = 0; i < steps; i++)
            yield { program: "step", at: { t: times[i]!, s: times[i + 1]! }, fresh: false };
        },
      };
    },
  };
};
