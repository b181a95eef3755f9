import { Command } from "commander";
import { LIMITS } from "../checks/limits.js";
import { oneOf, UserError } from "../errors.js";
import type { Config } from "../train/config/index.js";
import { interruptible } from "./interrupt.js";
import { repeated, wholeNumber } from "./options.js";

export type TrainOptions = {
  /** Resolved, with --set, --out and --threads applied. */
  readonly config: Config;
  /** A checkpoint to go on from, or null to begin anew. */
  readonly resumeFrom: string | null;
  /** Aborted at the first Ctrl-C: finish the step, save, return. */
  readonly signal: AbortSignal;
};

type Flags = {
  config?: string;
  preset?: string;
  set: readonly string[];
  out?: string;
  resumeFrom?: string;
  threads?: number;
};

const EXAMPLES = `
Examples:
  soflow train --config quickstart
  soflow train --config my.yaml --set train.batch=128 --set optimizer.learningRate=2e-4
  soflow train --config cifar10-small --set data.path='shards/train-*.tar' --out runs/first
  soflow train --preset soflow-cifar10 --set data.path=cifar-10-batches-bin
  soflow train --config runs/first/config.yaml --resume-from runs/first/checkpoints/latest

A value in --set is YAML; --set 'model={name: DiT-B/4}' replaces a whole section. Ctrl-C finishes the step and saves.
`;

const readOptions = async (flags: Flags, signal: AbortSignal): Promise<TrainOptions> => {
  const { presetNames, resolveConfig } = await import("../train/config/index.js");
  // Checked here and not by commander, which would hide a misspelt --config behind it.
  const file = flags.config ?? flags.preset;
  if (file === undefined)
    throw new UserError(
      `train: --config is missing; give a YAML file, or a preset: ${oneOf(presetNames())}; soflow presets lists those of published results`,
    );
  if (flags.config !== undefined && flags.preset !== undefined)
    throw new UserError("train: both --config and --preset are given; keep one of the two");
  const config = resolveConfig({ file, overrides: flags.set });
  const train = flags.threads === undefined ? config.train : { ...config.train, threads: flags.threads };
  return { config: { ...config, train, out: flags.out ?? config.out }, resumeFrom: flags.resumeFrom ?? null, signal };
};

/** `soflow train`; `run` does the training. */
export const trainCommand = (run: (options: TrainOptions) => Promise<void>): Command =>
  new Command("train")
    .description("Train a model from a configuration.")
    .option("--config <file>", "YAML file, or a preset: quickstart, glyphs-32-color, cifar10-small (required)")
    .option("--preset <name>", "the settings of a published result; soflow presets lists them")
    .option("--set <field=value>", "override a field of the configuration; may be repeated", repeated, [])
    .option("--out <dir>", "run folder (default: the configuration's out)")
    .option("--resume-from <checkpoint>", "go on from a checkpoint")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action((flags: Flags) => interruptible(async (signal) => run(await readOptions(flags, signal))));
