import type { Tensor } from "../graph/tensor.js";
import { sqrt, sub } from "../ops/index.js";
import { insist, insistSteps } from "./checks.js";
import { type Sampler, type SamplerOptions, type Step, samplerOn, stepProgram } from "./sampler.js";
import { type SpacedStep, spaced } from "./spacing.js";

/** √ᾱ, √(1 − ᾱ), √ᾱ′ and √(1 − ᾱ′ − σ²), numbers of one step from ᾱ to ᾱ′. */
type Roots = Readonly<Record<"signal" | "noise" | "signalNext" | "direction", Tensor>>;

/** x̂_0 = (x − √(1 − ᾱ) ε̂) / √ᾱ,  x ← √ᾱ′ x̂_0 + √(1 − ᾱ′ − σ²) ε̂. */
const towardsData = (x: Tensor, eps: Tensor, { signal, noise, signalNext, direction }: Roots): Tensor => {
  const x_0 = x.sub(noise.mul(eps)).div(signal);
  return signalNext.mul(x_0).add(direction.mul(eps));
};

/**
 * One deterministic step of DDIM (η = 0), from noise level ᾱ to ᾱ′. Song et al. 2020, arXiv:2010.02502.
 * x̂_0 = (x − √(1 − ᾱ) ε̂) / √ᾱ,  x ← √ᾱ′ x̂_0 + √(1 − ᾱ′) ε̂; ᾱ′ = 1 gives x̂_0.
 */
export const ddimStep = (x: Tensor, eps: Tensor, alphaBar: Tensor, alphaBarNext: Tensor): Tensor =>
  towardsData(x, eps, {
    signal: sqrt(alphaBar),
    noise: sqrt(sub(1, alphaBar)),
    signalNext: sqrt(alphaBarNext),
    direction: sqrt(sub(1, alphaBarNext)),
  });

/** σ = η √((1 − ᾱ′)/(1 − ᾱ)) √(1 − ᾱ/ᾱ′). In float64, as 1 − ᾱ′ − σ² can be far smaller than its terms. */
const numbersOf = ({ i, alphaBar, alphaBarNext }: SpacedStep, eta: number) => {
  const sigma = eta * Math.sqrt(((1 - alphaBarNext) / (1 - alphaBar)) * (1 - alphaBar / alphaBarNext));
  return {
    i,
    signal: Math.sqrt(alphaBar),
    noise: Math.sqrt(1 - alphaBar),
    signalNext: Math.sqrt(alphaBarNext),
    direction: Math.sqrt(Math.max(0, 1 - alphaBarNext - sigma ** 2)),
    sigma,
  };
};

/**
 * DDIM, respaced to N steps like `ancestral`; η = 0 is deterministic, η = 1 is ancestral sampling. The last step goes
 * to ᾱ′ = 1, which is x̂_0; x̂_0 is not clipped. Song et al. 2020, arXiv:2010.02502.
 */
export const ddim = ({ steps, eta }: SamplerOptions): Sampler => {
  insistSteps("ddim", steps);
  insist("ddim", "eta", eta, eta >= 0 && eta <= 1, "from 0 to 1");
  const about = "diffusion in large steps, without noise at eta 0; 1 evaluation a step";
  return samplerOn("noise", about, (noise) => {
    const all = spaced("ddim", steps, noise);
    const numbers = ["i", "signal", "noise", "signalNext", "direction", "sigma"] as const;
    const step: Step<(typeof numbers)[number]> = (x, { i, sigma, ...roots }, fresh) => {
      const mean = towardsData(x, noise.eps(x, i), roots);
      return { x: eta === 0 ? mean : mean.add(sigma.mul(fresh)) };
    };
    return {
      programs: { step: stepProgram(numbers, 1, step) },
      moves: function* () {
        for (const spacedStep of all)
          yield { program: "step", at: numbersOf(spacedStep, eta), fresh: eta > 0 && spacedStep.alphaBarNext < 1 };
      },
    };
  });
};
