import { z } from "zod";
import { LIMITS, mostSamples, sizeText } from "../../checks/limits.js";
import { UserError } from "../../errors.js";
import { above0, atLeast0, count, text, withKind } from "../../fields.js";
import { dividesEvenly, firstCount, openMethod } from "../../methods/index.js";
import { checkNetwork } from "../../models/network.js";
import { dataProblem, dataSchema, imageShape } from "./data.js";
import { evaluationProblem, evaluationSchema } from "./evaluation.js";
import { type ModelConfig, modelSchema, modelSizes } from "./model.js";
import { objectiveProblem, objectiveSchema } from "./objective.js";

/** What the optimisers have in common; `beta2` is the default that each was published with. */
const adamFields = (beta2: number) => ({
  learningRate: above0().default(1e-4).describe("rate after the warm-up"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("decay of the mean of gradients"),
  beta2: z.number().min(0).lt(1).default(beta2).describe("decay of the mean of squared gradients"),
  epsilon: above0().default(1e-8).describe("added to the root of the second moment"),
  weightDecay: atLeast0().default(0).describe("pull of weights to zero, as a multiple of the rate"),
  clipNorm: above0().nullable().default(null).describe("largest norm of the whole gradient; null does not clip"),
  schedule: z
    .enum(["constant", "linear", "cosine"])
    .default("constant")
    .describe("how the rate moves from learningRate to finalLearningRate over train.steps"),
  warmupSteps: count(0).default(0).describe("steps over which the rate grows from 0"),
  finalLearningRate: atLeast0().default(0).describe("rate at the last step, for linear and cosine"),
});

const adamw = z.strictObject({
  kind: z.literal("adamw").describe("Adam with decoupled weight decay"),
  ...adamFields(0.99),
});

const radam = z.strictObject({
  kind: z.literal("radam").describe("RAdam: Adam that begins as plain momentum, and needs no warm-up"),
  ...adamFields(0.999),
});

const optimizerSchema = z
  .preprocess(withKind("adamw"), z.discriminatedUnion("kind", [adamw, radam]))
  .prefault({ kind: "adamw" })
  .describe("how weights follow gradients");

const emaSchema = z
  .strictObject({
    decay: z.number().min(0).lt(1).default(0.9999).describe("decay per step of the averaged weights"),
    warmup: z
      .boolean()
      .default(false)
      .describe("start with a short memory: decay at most (1 + k) / (10 + k) at step k"),
    every: count().default(1).describe("steps from one application to the next, each with the decay of all of them"),
    precision: z
      .enum(["float32", "float64"])
      .default("float32")
      .describe("what the average is kept in; saved models have float32"),
  })
  .prefault({})
  .describe("the average of weights that samples are drawn with");

const trainSchema = z
  .strictObject({
    steps: count(1, LIMITS.trainSteps).describe("number of optimiser steps"),
    batch: count(1, LIMITS.batch).describe("images per step"),
    microBatches: count()
      .default(1)
      .describe("parts that a batch is worked on in, one after another: less memory, the same gradients"),
    checkpointBlocks: z
      .boolean()
      .default(false)
      .describe("compute each block again for its gradient instead of keeping it: less memory, 15 to 30 % more time"),
    logEvery: count().default(10).describe("steps between lines of metrics"),
    sampleEvery: count().default(1000).describe("steps between sheets of samples"),
    checkpointEvery: count().default(1000).describe("steps between checkpoints"),
    keepCheckpoints: count().default(3).describe("how many of the latest checkpoints stay on disk"),
    sampleCount: count(1, LIMITS.batch).default(64).describe("images on a sheet of samples"),
    threads: count(1, LIMITS.threads).nullable().default(null).describe("threads of the runtime; null uses all cores"),
  })
  .describe("the loop");

/** The sections of a configuration file, each field with its meaning, range and default. */
export const sections = z.strictObject({
  seed: count(0).default(0).describe("every draw of the run depends on it"),
  data: dataSchema,
  model: modelSchema,
  objective: objectiveSchema,
  optimizer: optimizerSchema,
  ema: emaSchema,
  train: trainSchema,
  evaluation: evaluationSchema,
  out: text().optional().describe("the run folder; by default runs/ and the name of this file"),
});

/** The sections that a comparison's methods have in common, for its own schema. */
export const commonSections = {
  data: dataSchema,
  model: modelSchema,
  objective: objectiveSchema,
  optimizer: optimizerSchema,
  ema: emaSchema,
};

type Sections = z.output<typeof sections>;

/** A configuration with every default filled in. */
export type Config = Omit<Sections, "out"> & { readonly out: string };
export type OptimizerConfig = Sections["optimizer"];
export type EmaConfig = Sections["ema"];
export type TrainConfig = Sections["train"];
export type { DataConfig } from "./data.js";
export type { ModelConfig } from "./model.js";
export type { ObjectiveConfig } from "./objective.js";

/** The messages of `checkNetwork` begin with the field they are about. */
const modelProblem = ({ data, model }: Sections): string | undefined => {
  const { size: imageSize, channels } = imageShape(data);
  try {
    checkNetwork({ ...modelSizes(model), imageSize, channels, classes: 0, nullLabel: false });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof UserError) return thrown.message;
    throw thrown;
  }
};

/** A batch whose images alone are more than memory can hold. */
const batchProblem = ({ data, train: { batch } }: Sections): string | undefined => {
  const { size, channels } = imageShape(data);
  const numbers = channels * size ** 2;
  if (batch * numbers <= LIMITS.numbers) return undefined;
  const found = `images of ${channels}×${size}×${size} take ${sizeText(batch * numbers)}`;
  return `train.batch is ${batch}; its ${found}; at most ${mostSamples(numbers)} are possible`;
};

const microBatchProblem = (batch: number, parts: number, share = 0): string => {
  const fits = Array.from({ length: batch }, (_, i) => i + 1).filter((n) => dividesEvenly(batch, n, share));
  const first = firstCount(share, batch);
  const kinds = first > 0 && first < batch ? ` of ${first} and ${batch - first} samples` : "";
  return `train.microBatches is ${parts}; it must divide the batch of ${batch}${kinds} evenly: ${fits.join(", ")}`;
};

/** Numbers that a network takes of how an image was augmented. */
const toldOf = (model: ModelConfig): number => {
  const sizes = modelSizes(model);
  return "augment" in sizes ? sizes.augment : 0;
};

/** What must hold between sections. */
export const configSchema = sections.superRefine((config, context) => {
  const field = (path: readonly PropertyKey[]): string => path.slice(0, 2).join(".");
  const said = new Set(context.issues.map(({ path }) => field(path ?? []))); // one line for each field
  const refuse = (path: string[], message: string): void => {
    if (!said.has(field(path))) context.addIssue({ code: "custom", path, message });
  };
  const problem = modelProblem(config);
  if (problem !== undefined) refuse(problem.split(" ", 1)[0]!.split("."), problem);
  const odd = dataProblem(config.data, toldOf(config.model));
  if (odd) refuse(["data", odd.field], `data.${odd.field} ${odd.text}`);
  const unseen = evaluationProblem(config.evaluation, config.data);
  if (unseen) refuse(["evaluation", unseen.field], `evaluation.${unseen.field} ${unseen.text}`);
  const unfit = objectiveProblem(config.objective, config.train.steps);
  const { batch, microBatches: parts } = config.train;
  const large = problem === undefined ? batchProblem(config) : undefined; // sizes beyond all limits are said already
  if (large) refuse(["train", "batch"], large);
  const { firstFraction } = openMethod(config.objective);
  if (!dividesEvenly(batch, parts, firstFraction))
    refuse(["train", "microBatches"], microBatchProblem(batch, parts, firstFraction));
  if (unfit) refuse(["objective", ...unfit.field.split(".")], `objective.${unfit.field} ${unfit.text}`);
});
