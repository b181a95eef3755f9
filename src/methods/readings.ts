import { exhaustive, UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { alphaBars, consistencyFunction, denoiser, type OneTimeNetwork } from "../objectives/index.js";
import {
  LEVELS,
  type Network,
  PARAMETERISATIONS,
  PATHS,
  type ParameterisationName,
  type PathName,
  sigmaGrid,
  solution,
  velocity,
} from "../paths/index.js";
import { guided, type Readings, sampleTimes } from "../samplers/index.js";
import { DDPM_STEPS } from "./diffusion.js";
import { oneTime } from "./method.js";

/** What a trained network means: all that sampling needs to know of the method that trained it. */
export type TrainedMethod =
  | { readonly kind: "soflow"; readonly path: PathName; readonly parameterisation: ParameterisationName }
  | { readonly kind: "meanflow" }
  | { readonly kind: "flow-matching"; readonly path: PathName }
  | { readonly kind: "ddpm" }
  | { readonly kind: "edm" }
  | { readonly kind: "consistency" | "improved-consistency" | "consistency-distillation" };
export type MethodKind = TrainedMethod["kind"];

/** Methods whose network alone can be guided while sampling. */
const GUIDED_IN_SAMPLING: readonly MethodKind[] = ["flow-matching", "ddpm", "edm"];

export type ReadingOptions = {
  readonly network: Network;
  /** int64 [B]. */
  readonly y: Tensor;
  /** w of classifier-free guidance while sampling; 1 is none. */
  readonly guidance: number;
  /** The label that stands for none; undefined where the network was not trained with one. */
  readonly nullLabel: number | undefined;
};

/** Throws a `UserError` where guidance while sampling makes no sense for a model. */
const checkGuidance = ({ kind }: TrainedMethod, { guidance, nullLabel }: ReadingOptions): void => {
  if (guidance === 1) return;
  if (!GUIDED_IN_SAMPLING.includes(kind))
    throw new UserError(
      `guidance is ${guidance}; a ${kind} model is not guided while sampling${kind === "soflow" || kind === "meanflow" ? " but in training (objective.guidance)" : ""}: leave it out`,
    );
  if (nullLabel === undefined)
    throw new UserError(
      `guidance is ${guidance}; the model was trained without hiding labels (objective.labelDropout): leave it out`,
    );
};

/** What a trained network offers to samplers. Throws a `UserError` for guidance that the model cannot have. */
export const readingsOf = (method: TrainedMethod, options: ReadingOptions): Readings => {
  checkGuidance(method, options);
  const { network, y, guidance, nullLabel } = options;
  const atLabel = (read: OneTimeNetwork) => guided(read, y, nullLabel ?? 0, guidance);
  switch (method.kind) {
    case "soflow": {
      const coefficients = PARAMETERISATIONS[method.parameterisation];
      const slope = (x: Tensor, t: Tensor) => velocity(coefficients, x, t, network(x, t, t, y));
      const f = (x: Tensor, t: Tensor, s: Tensor) => solution(coefficients, x, t, s, network(x, t, s, y));
      return { ode: { slope, times: sampleTimes }, solution: { f, path: PATHS[method.path] }, deviation: 1 };
    }
    case "meanflow": {
      // f = z − (t − r) u(z, r, t): the average velocity carries z from t to r
      const f = (z: Tensor, t: Tensor, r: Tensor) => z.sub(t.sub(r).mul(network(z, t, r, y)));
      const slope = (z: Tensor, t: Tensor) => network(z, t, t, y);
      return { ode: { slope, times: sampleTimes }, solution: { f, path: PATHS.linear }, deviation: 1 };
    }
    case "flow-matching":
      return { ode: { slope: atLabel(oneTime(network)), times: sampleTimes }, deviation: 1 };
    case "ddpm":
      return { noise: { eps: atLabel(oneTime(network)), alphaBars: alphaBars(DDPM_STEPS) }, deviation: 1 };
    case "edm": {
      const D = atLabel(denoiser(oneTime(network)));
      // dx/dσ = (x − D(x, σ)) / σ, from the largest σ to the smallest
      const slope = (x: Tensor, sigma: Tensor) => x.sub(D(x, sigma)).div(sigma);
      const times = (steps: number) => sigmaGrid(steps + 1);
      return { ode: { slope, times }, denoiser: D, deviation: LEVELS.largest };
    }
    case "consistency":
    case "improved-consistency":
    case "consistency-distillation": {
      const f = consistencyFunction(oneTime(network));
      return { consistency: (x, sigma) => f(x, sigma, y), deviation: LEVELS.largest };
    }
    default:
      return exhaustive(method);
  }
};
