import { pick } from "../graph/lists.js";
import { div, sqrt } from "../ops/index.js";
import { type AdamOptions, addDecay, scaleByLearningRate } from "./adam.js";
import { mixture } from "./mixture.js";
import { chain, type Transform } from "./transform.js";

/** Up to this length ρ of the average of squared gradients, their variance is not known well enough to divide by. */
const LEAST_LENGTH = 5; // as PyTorch has it; the paper says 4

/**
 * The rectification r of step k, counted from 1; 0 while the update should not be adaptive.
 *
 * ρ∞ = 2 / (1 − β₂) − 1,  ρ = ρ∞ − 2 k β₂ᵏ / (1 − β₂ᵏ),  r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
 */
export const rectification = (beta2: number, k: number): number => {
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * k * beta2 ** k) / (1 - beta2 ** k);
  if (length <= LEAST_LENGTH) return 0;
  return Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
};

/**
 * Adam whose first steps, while there are too few squared gradients to average, are plain momentum.
 * Liu et al. 2020, arXiv:1908.03265, as torch.optim.RAdam computes it (ε outside the root, not corrected):
 *
 * m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,
 * u = m̂ r √(1 − β₂ᵏ) / (√v + ε) where r > 0, else u = m̂,  m̂ = m / (1 − β₁ᵏ).
 *
 * Written as u = m (a / (√v + ε) + b) with one of a and b 0, so that a program holds both cases and the step's scalars
 * choose: x + 0 and 0 / x + b are exact.
 */
export const scaleByRAdam = ({ beta1, beta2, epsilon }: AdamOptions): Transform => ({
  slots: ["m", "v"],
  scalars: {
    adaptive: (k) => (rectification(beta2, k) * Math.sqrt(1 - beta2 ** k)) / (1 - beta1 ** k),
    momentum: (k) => (rectification(beta2, k) > 0 ? 0 : 1 / (1 - beta1 ** k)),
  },
  update: (g, { slots, scalars }) => {
    const before = pick(slots, ["m", "v"]);
    const { adaptive, momentum } = pick(scalars, ["adaptive", "momentum"]);
    const m = mixture(beta1, before.m, g);
    const v = mixture(beta2, before.v, g.square());
    const u = m.mul(div(adaptive, sqrt(v).add(epsilon)).add(momentum));
    return { u, slots: { m, v } };
  },
});

/** RAdam with decoupled weight decay. */
export const radam = (
  options: AdamOptions & { readonly weightDecay: number; readonly learningRate: (k: number) => number },
): Transform => chain(scaleByRAdam(options), addDecay(options.weightDecay), scaleByLearningRate(options.learningRate));
