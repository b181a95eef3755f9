import { join } from "node:path";
import { Command } from "commander";
import { LIMITS } from "../checks/limits.js";
import { oneOf } from "../errors.js";
import type { Config } from "../train/config/index.js";
import { UsageError } from "./errors.js";
import { interruptible } from "./interrupt.js";
import { repeated, wholeNumber } from "./options.js";

export type TrainOptions = {
  /** Resolved, with --set, --out and --threads applied. */
  readonly config: Config;
  /** A checkpoint to go on from, or null to begin anew. */
  readonly resumeFrom: string | null;
  /** Aborted at the first Ctrl-C or SIGTERM: finish the step, save, return. */
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
  soflow train runs/first                               resumes it, wherever the folder was moved to
  soflow train runs/first --out runs/second             resumes from it in another folder
  soflow train runs/first --resume-from runs/first/checkpoints/step-00001000.safetensors

A value in --set is YAML; --set 'model={name: DiT-B/4}' replaces a whole section. Ctrl-C and SIGTERM finish the step and save.
`;

/** What was given of a run folder, --config and --preset, which exclude each other. */
const chosenFile = async (run: string | undefined, { config, preset }: Flags): Promise<string> => {
  const { configOfRun, presetNames } = await import("../train/config/index.js");
  const given = Object.entries({ "a run folder": run, "--config": config, "--preset": preset });
  const [first, second] = given.filter(([, value]) => value !== undefined).map(([name]) => name);
  // Checked here and not by commander, which would hide a misspelt --config behind it.
  if (first === undefined)
    throw new UsageError(
      `train: --config is missing; give a YAML file, or a preset: ${oneOf(presetNames())}; soflow presets lists those of published results`,
    );
  if (second !== undefined) throw new UsageError(`train: both ${first} and ${second} are given; keep one of the two`);
  return run === undefined ? (config ?? preset)! : configOfRun(run);
};

/** The checkpoint that a run in another folder is begun from, while that folder has none of its own. */
const forkOf = async (run: string, out: string): Promise<string | null> => {
  const { listCheckpoints } = await import("../train/checkpoint.js");
  const { runPaths } = await import("../train/runFolder.js");
  const [from, own] = [runPaths(run).checkpoints, runPaths(out).checkpoints];
  const isNew = (await listCheckpoints(own)).length === 0 && (await listCheckpoints(from)).length > 0;
  return isNew ? join(from, "latest") : null;
};

const readOptions = async (run: string | undefined, flags: Flags, signal: AbortSignal): Promise<TrainOptions> => {
  const { resolveConfig } = await import("../train/config/index.js");
  const config = resolveConfig({ file: await chosenFile(run, flags), overrides: flags.set });
  const train = flags.threads === undefined ? config.train : { ...config.train, threads: flags.threads };
  const out = flags.out ?? config.out;
  const resumeFrom = flags.resumeFrom ?? (run === undefined ? null : await forkOf(run, out));
  return { config: { ...config, train, out }, resumeFrom, signal };
};

/** `soflow train`; `run` does the training. */
export const trainCommand = (run: (options: TrainOptions) => Promise<void>): Command =>
  new Command("train")
    .description("Train a model from a configuration, or resume a run.")
    .argument("[run]", "run folder to resume; with --out, to resume from in another folder")
    .option("--config <file>", "YAML file, or a preset: quickstart, glyphs-32-color, cifar10-small")
    .option("--preset <name>", "the settings of a published result; soflow presets lists them")
    .option("--set <field=value>", "override a field of the configuration; may be repeated", repeated, [])
    .option("--out <dir>", "run folder (default: the configuration's out)")
    .option("--resume-from <checkpoint>", "go on from a checkpoint")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action((folder: string | undefined, flags: Flags) =>
      interruptible(async (signal) => run(await readOptions(folder, flags, signal))),
    );
