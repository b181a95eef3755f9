import type { HostArray } from "../graph/dtype.js";
import { microBatch, openMethod, type RawBatch } from "../methods/index.js";
import type { Config } from "./config/index.js";
import { networkDraws } from "./dropout.js";
import type { ModelDescription } from "./model.js";
import type { TrainingStep } from "./step.js";

/** What the gradients of step `step`, from 0, are computed from: for the batch, or for each of its parts. */
export const stepDraws = (
  { seed, train, objective }: Pick<Config, "seed" | "train" | "objective">,
  { network, classes }: ModelDescription,
  { inputs }: Pick<TrainingStep, "inputs">,
  batch: RawBatch,
  step: number,
): readonly Readonly<Record<string, HostArray>>[] => {
  const method = openMethod(objective);
  const context = { seed, step, steps: train.steps, classes: classes.length };
  return Array.from({ length: train.microBatches }, (_, j) => {
    const part = microBatch(batch, j, train.microBatches, method.firstFraction);
    return { ...method.draws(part, context), ...networkDraws(network, inputs, part, context) };
  });
};
