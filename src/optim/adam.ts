import { pick } from "../graph/lists.js";
import { div, sqrt } from "../ops/index.js";
import { mixture } from "./mixture.js";
import { chain, type Transform } from "./transform.js";

export type AdamOptions = {
  /** β₁ and β₂, in [0, 1). */
  readonly beta1: number;
  readonly beta2: number;
  /** ε, above 0. */
  readonly epsilon: number;
};

/**
 * m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  u = m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵏ),  v̂ = v / (1 − β₂ᵏ).
 * Kingma & Ba 2015, with ε outside the root as in PyTorch; corrected as at the end of their section 2, by
 * c = √(1 − β₂ᵏ) / (1 − β₁ᵏ) and ε̂ = ε √(1 − β₂ᵏ):  u = c m / (√v + ε̂), two passes over memory fewer.
 */
export const scaleByAdam = ({ beta1, beta2, epsilon }: AdamOptions): Transform => ({
  slots: ["m", "v"],
  scalars: {
    correction: (k) => Math.sqrt(1 - beta2 ** k) / (1 - beta1 ** k),
    correctedEpsilon: (k) => epsilon * Math.sqrt(1 - beta2 ** k),
  },
  update: (g, { slots, scalars }) => {
    const before = pick(slots, ["m", "v"]);
    const { correction, correctedEpsilon } = pick(scalars, ["correction", "correctedEpsilon"]);
    const m = mixture(beta1, before.m, g);
    const v = mixture(beta2, before.v, g.square());
    const u = div(m, sqrt(v).add(correctedEpsilon)).mul(correction);
    return { u, slots: { m, v } };
  },
});

/** u ← u + λ p: decoupled weight decay (Loshchilov & Hutter 2019). Nothing for λ = 0. */
export const addDecay = (decay: number): Transform => ({
  slots: [],
  scalars: {},
  update: (u, { parameter }) => ({ u: decay === 0 ? u : u.add(parameter.mul(decay)), slots: {} }),
});

/** u ← −η(k) u */
export const scaleByLearningRate = (rate: (k: number) => number): Transform => ({
  slots: [],
  scalars: { negativeRate: (k) => -rate(k) }, // negated on the host: one pass over memory less
  update: (u, { scalars }) => ({ u: u.mul(pick(scalars, ["negativeRate"]).negativeRate), slots: {} }),
});

/** AdamW: Adam with decoupled weight decay. */
export const adamw = (
  options: AdamOptions & { readonly weightDecay: number; readonly learningRate: (k: number) => number },
): Transform => chain(scaleByAdam(options), addDecay(options.weightDecay), scaleByLearningRate(options.learningRate));
