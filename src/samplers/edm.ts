import { pairs } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { sigmaGrid } from "../paths/index.js";
import { insist, insistSteps } from "./checks.js";
import { type Move, type Sampler, type SamplerOptions, type Step, samplerOn, stepProgram } from "./sampler.js";

const NUMBERS = ["sigmaHat", "sigmaNext", "kick"] as const;
type Numbers = (typeof NUMBERS)[number];

type Denoiser = (x: Tensor, sigma: Tensor) => Tensor;

/** Most that σ may grow by churn, so that no step adds more noise than there is. */
const MOST_GAMMA = Math.SQRT2 - 1;

/** dx/dσ = (x − D(x, σ)) / σ. */
const slope = (D: Denoiser, x: Tensor, sigma: Tensor): Tensor => x.sub(D(x, sigma)).div(sigma);

/**
 * x̂ = x + √(σ̂² − σ²) ε′,  d = (x̂ − D(x̂, σ̂))/σ̂,  x′ = x̂ + (σ_next − σ̂) d; that is Euler's step. Heun's goes on with
 * d′ = (x′ − D(x′, σ_next))/σ_next,  x ← x̂ + (σ_next − σ̂) (d + d′)/2.   `kick` is √(σ̂² − σ²).
 */
const edmStep =
  (D: Denoiser, { heun, churn }: { readonly heun: boolean; readonly churn: number }): Step<Numbers> =>
  (x, { sigmaHat, sigmaNext, kick }, eps) => {
    const xHat = churn === 0 ? x : x.add(kick.mul(eps));
    const h = sigmaNext.sub(sigmaHat);
    const d = slope(D, xHat, sigmaHat);
    const euler = xHat.add(h.mul(d));
    if (!heun) return { x: euler };
    const dNext = slope(D, euler, sigmaNext);
    return { x: xHat.add(h.mul(d.add(dNext).div(2))) };
  };

/** Moves on σ_0 = 80 … σ_{N−1} = 0.002, then 0, with γ = min(S_churn/N, √2 − 1) and σ̂ = (1 + γ) σ. */
function* edmMoves(steps: number, churn: number): Generator<Move, void, Float32Array | undefined> {
  const sigmas = [...sigmaGrid(steps), 0];
  const gamma = Math.min(churn / steps, MOST_GAMMA);
  for (const [sigma, sigmaNext] of pairs(sigmas)) {
    const sigmaHat = sigma * (1 + gamma);
    const at = { sigmaHat, sigmaNext, kick: Math.sqrt(sigmaHat ** 2 - sigma ** 2) };
    yield { program: sigmaNext === 0 ? "euler" : "heun", at, fresh: gamma > 0 };
  }
}

/**
 * EDM's sampler: Heun steps, the last one Euler, so N steps are 2N − 1 evaluations. With churn, noise is put back before
 * each step. Karras et al. 2022, Algorithm 2, arXiv:2206.00364, with S_tmin = 0, S_tmax = ∞ and S_noise = 1.
 */
export const edm = ({ steps, churn }: SamplerOptions): Sampler => {
  insistSteps("edm", steps);
  insist("edm", "churn", churn, Number.isFinite(churn), "finite");
  insist("edm", "churn", churn, churn >= 0, "at least 0");
  const about = "EDM's solver of order 2, with noise put back at churn above 0; 2 evaluations a step, 1 for the last";
  return samplerOn("denoiser", about, (denoiser) => {
    const program = (heun: boolean) => stepProgram(NUMBERS, heun ? 2 : 1, edmStep(denoiser, { heun, churn }));
    const euler = program(false);
    return {
      programs: { ...(steps > 1 && { heun: program(true) }), euler },
      moves: () => edmMoves(steps, churn),
    };
  });
};
