import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { z } from "zod";
import { LIMITS } from "../checks/limits.js";
import { UserError } from "../errors.js";
import { count } from "../fields.js";
import { isPresent } from "../files/index.js";
import {
  type Config,
  commonSections,
  configSchema,
  configStem,
  parseWith,
  readConfigFile,
} from "../train/config/index.js";

const fields = () => z.record(z.string(), z.unknown()).default({});

const methodSchema = z
  .strictObject({
    objective: commonSections.objective,
    optimizer: fields().describe("fields of optimizer that this method has otherwise"),
    ema: fields().describe("fields of ema that this method has otherwise"),
  })
  .describe("one method");

const budgetSchema = z
  .strictObject({
    steps: count(1, LIMITS.trainSteps).optional().describe("optimiser steps of every method"),
    seconds: z.number().gt(0).optional().describe("seconds of training instead; steps then differ by method"),
  })
  .describe("how long each method trains");

const evaluationSchema = z
  .strictObject({
    samples: count(2, LIMITS.count).default(10_000).describe("samples behind each number"),
    evaluations: z
      .array(count(1, LIMITS.steps))
      .min(1)
      .default([1, 2, 4, 8])
      .describe("network evaluations per sample to measure"),
    longest: count(2, LIMITS.steps)
      .default(64)
      .describe("evaluations at which methods of many steps are measured as well"),
    alternatives: z.boolean().default(true).describe("measure a method's other samplers too, up to 8 evaluations"),
    curvePoints: count(1, 10_000).default(5).describe("points of the quality curve through training"),
    curveSamples: count(2, LIMITS.count).default(2000).describe("samples behind each point of that curve"),
  })
  .prefault({})
  .describe("what is measured");

const judgeSchema = z
  .strictObject({
    steps: count(1, LIMITS.trainSteps)
      .default(600)
      .describe("training steps of the classifier that gives features and label accuracy"),
    batch: count(1, LIMITS.batch).default(128).describe("images per step"),
    learningRate: z.number().gt(0).default(2e-3).describe("rate after the warm-up"),
    patch: count(1, LIMITS.imageSize).optional().describe("side of its patches; by default a quarter of the image"),
    width: count(4, LIMITS.width).default(96).describe("numbers in a feature"),
    depth: count(1, LIMITS.depth).default(2).describe("number of blocks"),
    heads: count(1, LIMITS.heads).default(4).describe("attention heads per block"),
  })
  .prefault({})
  .describe("the classifier that judges images; points need none");

/** The sections of a comparison's file. */
export const compareSchema = z
  .strictObject({
    seeds: z.array(count(0)).min(1).default([0]).describe("every method is trained once from each"),
    data: commonSections.data,
    model: commonSections.model,
    optimizer: commonSections.optimizer,
    ema: commonSections.ema,
    batch: count(1, LIMITS.batch).describe("samples per step"),
    threads: count(1, LIMITS.threads).nullable().default(null).describe("threads of the runtime; null uses all cores"),
    budget: budgetSchema,
    methods: z.record(z.string(), methodSchema).describe("what is compared, by a name of your own"),
    evaluation: evaluationSchema,
    judge: judgeSchema,
    out: z.string().min(1).optional().describe("the folder; by default runs/ and the name of this file"),
  })
  .superRefine(({ methods, budget, seeds, evaluation }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    const names = Object.keys(methods);
    if (names.length < 2)
      refuse(
        ["methods"],
        `methods has ${names.length === 0 ? "none" : `only ${names[0]}`}; a comparison needs at least two`,
      );
    const odd = names.find((name) => !/^[A-Za-z0-9][\w.-]*$/.test(name));
    if (odd !== undefined)
      refuse(["methods", odd], `methods: the name ${JSON.stringify(odd)} must be letters, digits, '.', '-' and '_'`);
    if ((budget.steps === undefined) === (budget.seconds === undefined))
      refuse(["budget"], "budget must have steps or seconds, one of the two");
    if (new Set(seeds).size < seeds.length) refuse(["seeds"], `seeds has one twice: ${seeds.join(", ")}`);
    const { evaluations } = evaluation;
    if (new Set(evaluations).size < evaluations.length)
      refuse(["evaluation", "evaluations"], `evaluation.evaluations has one twice: ${evaluations.join(", ")}`);
  });

/** A comparison with every default filled in. */
export type CompareConfig = Omit<z.output<typeof compareSchema>, "out"> & {
  readonly name: string;
  readonly out: string;
};

/** The training configuration of one method from one seed. Throws a `UserError` that begins with the method's name. */
export const trainingConfig = (config: CompareConfig, name: string, seed: number, steps: number): Config => {
  const { objective, optimizer, ema } = config.methods[name]!;
  const { data, model, batch, threads, evaluation } = config;
  const checkpointEvery = Math.max(1, Math.ceil(steps / evaluation.curvePoints));
  const result = configSchema.safeParse({
    seed,
    data,
    model,
    objective,
    optimizer: { ...config.optimizer, ...optimizer },
    ema: { ...config.ema, ...ema },
    train: {
      steps,
      batch,
      threads,
      logEvery: Math.max(1, Math.floor(steps / 200)),
      sampleEvery: steps,
      checkpointEvery,
      keepCheckpoints: evaluation.curvePoints,
      sampleCount: data.kind === "points" ? 4096 : 36,
    },
    out: `${config.out}/seed-${seed}/${name}`,
  });
  if (result.success) return result.data as Config;
  const lines = result.error.issues.map((issue) => `compare: methods.${name}: ${issue.message}`);
  throw new UserError(lines.join("\n"));
};

/** Checks a comparison's YAML text; errors as for a training configuration. */
export const parseComparison = (text: string, file: string, overrides: readonly string[] = []): CompareConfig => {
  const parsed = parseWith(compareSchema, text, file, overrides);
  const name = configStem(file);
  const config = { ...parsed, name, out: parsed.out ?? `runs/${name}` };
  for (const method of Object.keys(config.methods)) trainingConfig(config, method, 0, config.budget.steps ?? 1_000_000);
  return config;
};

/** The folder of the comparison whose own configuration a file is, if it is one. */
const comparisonFolderOf = (file: string): string | undefined => {
  if (basename(file) !== "compare.yaml" || !isPresent(file)) return undefined;
  const folder = dirname(file);
  return readdirSync(folder).some((name) => /^(seed-\d+|results\.json)$/.test(name)) ? folder : undefined;
};

/** Reads a comparison: a file, or a preset by name. That of a comparison's folder means this folder, wherever it is now. */
export const resolveComparison = (file: string, overrides: readonly string[] = []): CompareConfig => {
  const { text, name } = readConfigFile(file, "compare");
  const config = parseComparison(text, name, overrides);
  const folder = overrides.some((text) => /^\s*out\s*=/.test(text)) ? undefined : comparisonFolderOf(file);
  return folder === undefined ? config : { ...config, out: folder };
};
