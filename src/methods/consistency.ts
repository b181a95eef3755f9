import {
  consistencyDistillation,
  consistencyTraining,
  curriculum,
  drawLevel,
  improvedCurriculum,
  type LevelWeight,
  levelProbabilities,
  type Metric,
} from "../objectives/index.js";
import { sigmaGrid } from "../paths/index.js";
import { sampleDraws, stepKeys, unit } from "./draws.js";
import {
  type BatchShape,
  type DrawContext,
  type Method,
  oneTime,
  perSampleInput,
  type RawBatch,
  sampleInputs,
} from "./method.js";

/** Consistency training with the published curriculum. arXiv:2303.01469. */
export type ConsistencySettings = {
  readonly metric: Metric;
  readonly weight: LevelWeight;
  /** Levels grow from s₀ to s₁ over `steps` (null: the whole run) while the teacher's memory grows from μ₀. */
  readonly curriculum: {
    readonly s0: number;
    readonly s1: number;
    readonly mu0: number;
    readonly steps: number | null;
  };
};

/** The improved variant: the teacher is the student, levels double, σ is log-normal. arXiv:2310.14189. */
export type ImprovedConsistencySettings = {
  readonly metric: Metric;
  readonly weight: LevelWeight;
  readonly curriculum: { readonly s0: number; readonly s1: number; readonly steps: number | null };
  /** Mean and deviation of ln σ. */
  readonly noise: { readonly mean: number; readonly deviation: number };
};

/** Distillation of a trained EDM model. arXiv:2303.01469. */
export type DistillationSettings = {
  /** Folder of the model that is distilled. */
  readonly teacher: string;
  readonly metric: Metric;
  readonly weight: LevelWeight;
  readonly levels: number;
  /** Decay per step of the average that gives the target. */
  readonly decay: number;
};

const levelInputs = (shape: BatchShape) => ({
  ...sampleInputs(shape),
  sigma: perSampleInput("sigma", shape.batch),
  next: perSampleInput("next", shape.batch),
});

/** σ_n and σ_{n+1} of each sample; `pick` maps a uniform draw to n, a place on the falling grid but its last. */
const levelDraws = (raw: RawBatch, context: DrawContext, grid: readonly number[], pick: (u: number) => number) => {
  const places = stepKeys(context, raw.indices).each("level", (key) => pick(unit(key)));
  return {
    ...sampleDraws(raw, context, 0),
    sigma: places.map((n) => grid[n]!),
    next: places.map((n) => grid[n + 1]!),
  };
};

const uniformly =
  (levels: number) =>
  (u: number): number =>
    Math.floor(u * (levels - 1));

/** Consistency training. Program inputs beside the samples: σ and next, its lower neighbour. */
export const consistencyMethod = ({ metric, weight, curriculum: options }: ConsistencySettings): Method => {
  const at = (step: number, steps: number) =>
    curriculum({ ...options, steps: options.steps ?? steps }, Math.min(step, options.steps ?? steps));
  return {
    times: 1,
    labelDropout: 0,
    loss: ({ network, average }, shape) =>
      consistencyTraining({ network: oneTime(network), teacher: oneTime(average), metric, weight })(levelInputs(shape)),
    draws: (raw, context) => {
      const { levels } = at(context.step, context.steps);
      return levelDraws(raw, context, sigmaGrid(levels), uniformly(levels));
    },
    averageDecay: (k, steps) => at(k - 1, steps).decay,
  };
};

/** Improved consistency training; program inputs as above. */
export const improvedConsistencyMethod = (settings: ImprovedConsistencySettings): Method => {
  const { metric, weight, noise, curriculum: options } = settings;
  return {
    times: 1,
    labelDropout: 0,
    loss: ({ network }, shape) =>
      consistencyTraining({ network: oneTime(network), metric, weight })(levelInputs(shape)),
    draws: (raw, context) => {
      const levels = improvedCurriculum({ ...options, steps: options.steps ?? context.steps }, context.step);
      const grid = sigmaGrid(levels);
      const probabilities = levelProbabilities(grid, noise);
      return levelDraws(raw, context, grid, (u) => drawLevel(probabilities, u));
    },
  };
};

/** Consistency distillation; program inputs as above. */
export const distillationMethod = ({ metric, weight, levels, decay }: DistillationSettings): Method => ({
  times: 1,
  labelDropout: 0,
  loss: ({ network, average, teacher }, shape) => {
    if (!teacher) throw new Error("distillation needs a teacher");
    const options = { network: oneTime(network), target: oneTime(average), teacher, metric, weight };
    return consistencyDistillation(options)(levelInputs(shape));
  },
  draws: (raw, context) => levelDraws(raw, context, sigmaGrid(levels), uniformly(levels)),
  averageDecay: () => decay,
});
