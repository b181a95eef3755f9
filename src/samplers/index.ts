import { oneOf, UserError } from "../errors.js";
import { dopri5 } from "./adaptive.js";
import { ancestral } from "./ancestral.js";
import { ddim } from "./ddim.js";
import { edm } from "./edm.js";
import { multistep } from "./multistep.js";
import { fixedStep } from "./ode.js";
import { renoiseSteps } from "./renoise.js";
import type { Plan, ReadingName, Readings, Sampler, SamplerOptions } from "./sampler.js";
import { solutionSteps } from "./solution.js";
import { EULER, HEUN, MIDPOINT, RK4 } from "./tableau.js";

export { ddimStep } from "./ddim.js";
export { guided } from "./guidance.js";
export { multistepLevels } from "./multistep.js";
export { fixedStep, type Slope } from "./ode.js";
export { renoise, sampleTimes, type ToData } from "./renoise.js";
export type { Move, Numbers, Plan, ReadingName, Readings, Sampler, SamplerOptions, Step } from "./sampler.js";
export { spacedSteps } from "./spacing.js";
export { DORMAND_PRINCE, EULER, HEUN, MIDPOINT, RK4, type Tableau, tableau } from "./tableau.js";

export type SamplerName =
  | "euler"
  | "midpoint"
  | "heun"
  | "rk4"
  | "dopri5"
  | "ancestral"
  | "ddim"
  | "edm"
  | "multistep"
  | "solution"
  | "renoise";

/** The samplers by name. Options that a sampler reads and cannot use are refused with a `UserError`. */
export const SAMPLERS: Readonly<Record<SamplerName, (options: SamplerOptions) => Sampler>> = {
  euler: fixedStep(EULER),
  midpoint: fixedStep(MIDPOINT),
  heun: fixedStep(HEUN),
  rk4: fixedStep(RK4),
  dopri5,
  ancestral,
  ddim,
  edm,
  multistep,
  solution: solutionSteps,
  renoise: renoiseSteps,
};

/** What a sampler does where nothing is said; the tolerances are SiT's. */
export const DEFAULT_OPTIONS: SamplerOptions = { steps: 50, eta: 0, churn: 0, atol: 1e-6, rtol: 1e-3 };

const isSampler = (name: string): name is SamplerName => Object.hasOwn(SAMPLERS, name);
const NAMES = Object.keys(SAMPLERS).filter(isSampler);

const READINGS: Readonly<Record<ReadingName, string>> = {
  ode: "the slope dx/dt of an ODE",
  solution: "the solution f(x, t, s) of a soflow or meanflow model",
  noise: "the noise ε̂(x_i, i) of a ddpm model",
  denoiser: "the denoiser D(x, σ) of an edm model",
  consistency: "the consistency function f(x, σ) of a consistency model",
};

const needsOf = (name: SamplerName): ReadingName => SAMPLERS[name](DEFAULT_OPTIONS).needs;

/** Whether a model gives what a sampler needs. */
export const fits = (name: SamplerName, readings: Readings): boolean => readings[needsOf(name)] !== undefined;

/** The samplers that fit a model. */
export const samplersFor = (readings: Readings): readonly SamplerName[] => NAMES.filter((name) => fits(name, readings));

const withArticle = (noun: string): string => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;

/** The plan of a sampler for a model, `model` in words. Throws a `UserError` where sampler, options and model do not fit. */
export const planSampler = (name: SamplerName, options: SamplerOptions, readings: Readings, model: string): Plan => {
  if (!isSampler(name)) throw new UserError(`sampler ${name} is unknown; choose ${oneOf(NAMES)}`);
  if (fits(name, readings)) return SAMPLERS[name](options).plan(readings);
  const lack = `sampler ${name} needs ${READINGS[needsOf(name)]}; ${withArticle(model)} model does not give it`;
  throw new UserError(`${lack}; samplers that fit: ${samplersFor(readings).join(", ")}`);
};
