import { insistSteps } from "./checks.js";
import { type Sampler, type SamplerOptions, type Step, samplerOn, stepProgram } from "./sampler.js";
import { type SpacedStep, spaced } from "./spacing.js";

/**
 * The posterior q(x_{i−1} | x_i, x_0) of the spaced process, β = 1 − ᾱ/ᾱ′: its mean is ofData x_0 + ofPoint x_i and its
 * deviation √β̃, β̃ = β (1 − ᾱ′)/(1 − ᾱ). In float64, as 1 − ᾱ nearly cancels close to data.
 */
const posterior = ({ i, alphaBar, alphaBarNext }: SpacedStep) => {
  const beta = 1 - alphaBar / alphaBarNext;
  return {
    i,
    signal: Math.sqrt(alphaBar),
    noise: Math.sqrt(1 - alphaBar),
    ofData: (Math.sqrt(alphaBarNext) * beta) / (1 - alphaBar),
    ofPoint: (Math.sqrt(1 - beta) * (1 - alphaBarNext)) / (1 - alphaBar),
    sigma: Math.sqrt((beta * (1 - alphaBarNext)) / (1 - alphaBar)),
  };
};

/**
 * Ancestral sampling with the fixed small variance, respaced to N steps; the network is told the original step. Ho et
 * al. 2020, arXiv:2006.11239; spacing and numbers are those of the DiT code (SpacedDiffusion), but that x̂_0 is not
 * clipped here.   x̂_0 = (x − √(1 − ᾱ) ε̂)/√ᾱ,  x ← ofData x̂_0 + ofPoint x + √β̃ ε′; no noise after the last step.
 */
export const ancestral = ({ steps }: SamplerOptions): Sampler => {
  insistSteps("ancestral", steps);
  const about = "DDPM's own sampler, with noise after each step; 1 evaluation a step";
  return samplerOn("noise", about, (reading) => {
    const all = spaced("ancestral", steps, reading);
    const numbers = ["i", "signal", "noise", "ofData", "ofPoint", "sigma"] as const;
    const step: Step<(typeof numbers)[number]> = (x, { i, signal, noise, ofData, ofPoint, sigma }, fresh) => {
      const x_0 = x.sub(noise.mul(reading.eps(x, i))).div(signal);
      return { x: ofData.mul(x_0).add(ofPoint.mul(x)).add(sigma.mul(fresh)) };
    };
    return {
      programs: { step: stepProgram(numbers, 1, step) },
      moves: function* () {
        for (const spacedStep of all)
          yield { program: "step", at: posterior(spacedStep), fresh: spacedStep.alphaBarNext < 1 };
      },
    };
  });
};
