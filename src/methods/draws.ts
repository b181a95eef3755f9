import type { HostArray, Shape } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { input } from "../ops/index.js";
import { type LogitNormal, logitNormal } from "../paths/index.js";
import { type Key, key } from "../random/random.js";

/** Where in a run draws are made: step `step` of `steps` planned, from 0; `classes` 0 means unconditional. */
export type DrawContext = {
  readonly seed: number;
  readonly step: number;
  readonly steps: number;
  readonly classes: number;
};

/**
 * The random numbers of one sample in one step. Each depends on (seed, purpose, step, global sample index) alone, so a
 * run is the same on any number of machines and after a resume.
 */
export type SampleNoise = {
  /** One draw from N(0, 1). */
  readonly normal: (purpose: string) => number;
  /** One draw from [0, 1). */
  readonly uniform: (purpose: string) => number;
  /** A whole number from `least` up to and without `end`. */
  readonly integer: (purpose: string, least: number, end: number) => number;
};

/** The keys of a step's draws: one for each purpose, and from it one for each sample. */
export class StepKeys {
  private readonly known = new Map<string, Key>();

  constructor(private readonly context: Pick<DrawContext, "seed" | "step">) {}

  of(purpose: string, sample: number): Key {
    const { seed, step } = this.context;
    const root = this.known.get(purpose) ?? key(seed).fold(purpose).fold(step);
    this.known.set(purpose, root);
    return root.fold(sample);
  }

  sample(index: number): SampleNoise {
    return {
      normal: (purpose) => first(this.of(purpose, index).normal(1)),
      uniform: (purpose) => first(this.of(purpose, index).uniform(1)),
      integer: (purpose, least, end) => first(this.of(purpose, index).integers(least, end)),
    };
  }
}

const first = (values: ArrayLike<number>): number => Number(values[0]);

/** One of the random inputs of a loss: its shape for a batch of samples with `rank` axes, and its distribution. */
export type Draw = {
  readonly shape: (batch: number, rank: number) => Shape;
  readonly values: (keys: StepKeys, indices: readonly number[], context: DrawContext) => Float32Array<ArrayBuffer>;
};

/**
 * One number for each sample, [B 1 …]. `distribution` is asked once a step, and then for every sample: its random
 * numbers, and its place j in the batch of B.
 */
export const perSample = (
  distribution: (context: DrawContext) => (noise: SampleNoise, j: number, batch: number) => number,
): Draw => ({
  shape: (batch, rank) => [batch, ...Array<number>(rank - 1).fill(1)],
  values: (keys, indices, context) => {
    const draw = distribution(context);
    return Float32Array.from(indices, (index, j) => draw(keys.sample(index), j, indices.length));
  },
});

/** One number for the whole batch, []: a schedule of training. */
export const perBatch = (schedule: (context: DrawContext) => number): Draw => ({
  shape: () => [],
  values: (_, __, context) => Float32Array.of(schedule(context)),
});

/** A time in (0, 1) for each sample, t = σ(z) with z ~ N(mean, std²). */
export const logitNormalTime = (purpose: string, distribution: LogitNormal): Draw =>
  perSample(() => (noise) => logitNormal(distribution, noise.normal(purpose)));

export type Draws = Readonly<Record<string, Draw>>;

/** The program inputs that draws fill. */
export const drawInputs = <D extends Draws>(
  draws: D,
  batch: number,
  rank: number,
): { readonly [K in keyof D]: Tensor } =>
  Object.fromEntries(
    Object.entries(draws).map(([name, { shape }]) => [
      name,
      input(name, { dtype: "float32", shape: shape(batch, rank) }),
    ]),
  ) as { readonly [K in keyof D]: Tensor };

/** Their values for the samples with these global indices. */
export const drawValues = (
  draws: Draws,
  keys: StepKeys,
  indices: readonly number[],
  context: DrawContext,
): Record<string, HostArray> =>
  Object.fromEntries(Object.entries(draws).map(([name, { values }]) => [name, values(keys, indices, context)]));
