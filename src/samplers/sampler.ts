import { pick } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import type { Path } from "../paths/index.js";

/**
 * What a trained model offers to samplers: functions of x [B C H W] and times [B 1 1 1], with label and guidance
 * already inside. A model offers those that its method has a meaning for.
 */
export type Readings = {
  /** dx/dt of the generative ODE, and the times of a run of N steps from noise to data: N + 1 falling numbers. */
  readonly ode?: {
    readonly slope: (x: Tensor, t: Tensor) => Tensor;
    readonly times: (steps: number) => readonly number[];
  };
  /** f(x_t, t, s), the solution of the ODE from t to s ≤ t, and the noising path its times are on. */
  readonly solution?: { readonly f: (x: Tensor, t: Tensor, s: Tensor) => Tensor; readonly path: Path };
  /** ε̂(x_i, i), the noise in x_i at the whole step i, and ᾱ_i for i = 0 … steps − 1. */
  readonly noise?: { readonly eps: (x: Tensor, i: Tensor) => Tensor; readonly alphaBars: ArrayLike<number> };
  /** D(x, σ), the expected data behind x = x_0 + σ ε. */
  readonly denoiser?: (x: Tensor, sigma: Tensor) => Tensor;
  /** f(x, σ), where the trajectory through x = x_0 + σ ε ends. */
  readonly consistency?: (x: Tensor, sigma: Tensor) => Tensor;
  /** Standard deviation of the first noise: 1, or the largest σ. */
  readonly deviation: number;
};

/** The parts of `Readings` that a sampler can need. */
export type ReadingName = Exclude<keyof Readings, "deviation">;

/** Numbers that a step is told: one for all samples, or one for each. */
export type Numbers = Readonly<Record<string, number | Float32Array>>;

/** One step in symbols. `at` holds the step's numbers, each [B 1 1 1]; `eps` is fresh noise of x's shape. */
export type Step<N extends string = string> = (
  x: Tensor,
  at: Readonly<Record<N, Tensor>>,
  eps: Tensor,
) => {
  readonly x: Tensor;
  /** An adaptive solver's error of each sample [B 1 1 1], in units of its tolerance. */
  readonly error?: Tensor;
};

/** What comes next in a run: which of the sampler's programs, with which numbers, and whether it uses fresh noise. */
export type Move = { readonly program: string; readonly at: Numbers; readonly fresh: boolean };

/**
 * A step, the names of its numbers (none is x, y, eps, next or error), and how often it evaluates
 * the network.
 */
export type StepProgram = { readonly numbers: readonly string[]; readonly step: Step; readonly evaluations: number };

/** A program whose step reads exactly the numbers that are named. */
export const stepProgram = <const N extends string>(
  numbers: readonly N[],
  evaluations: number,
  step: Step<N>,
): StepProgram => ({
  numbers,
  evaluations,
  step: (x, at, eps) => step(x, pick(at, numbers), eps),
});

/** A sampler made ready for one model: programs to run and the order to run them in. */
export type Plan = {
  readonly programs: Readonly<Record<string, StepProgram>>;
  /** The moves for a batch of this many samples. `next(error)` is told the last step's error, where it has one. */
  readonly moves: (batch: number) => Generator<Move, void, Float32Array | undefined>;
};

/** A way to draw: what it needs of a model, and its plan for a number of steps. */
export type Sampler = {
  readonly needs: ReadingName;
  /** One line for people. */
  readonly about: string;
  readonly plan: (readings: Readings) => Plan;
};

/**
 * A sampler that works from one thing a model offers. Its plan throws for a model that does not.
 */
export const samplerOn = <N extends ReadingName>(
  needs: N,
  about: string,
  plan: (reading: NonNullable<Readings[N]>) => Plan,
): Sampler => ({
  needs,
  about,
  plan: (readings) => {
    const reading = readings[needs];
    if (!reading) throw new Error(`the model does not offer what the sampler needs: ${needs}`);
    return plan(reading);
  },
});

/** What a user can set; each sampler reads its own. */
export type SamplerOptions = {
  /** Number of steps; adaptive solvers take as many as they need. */
  readonly steps: number;
  /** DDIM: 0 is deterministic, 1 as noisy as DDPM. */
  readonly eta: number;
  /** EDM: amount of noise put back in all (S_churn). */
  readonly churn: number;
  /** Adaptive solvers: absolute and relative tolerance, above 0. */
  readonly atol: number;
  readonly rtol: number;
};
