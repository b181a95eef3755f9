import { basename, dirname } from "node:path";
import { type Dataset, Loader, openDataset } from "../data/index.js";
import { UserError } from "../errors.js";
import { readIfPresent } from "../files/index.js";
import { openRuntime, quantile, type Runtime } from "../runtime/index.js";
import {
  type CheckpointState,
  checkpointPaths,
  findCheckpoint,
  isCheckpointFile,
  listCheckpoints,
  loadCheckpoint,
} from "./checkpoint.js";
import { type Config, configToYaml } from "./config/index.js";
import { withAbsolutePaths } from "./config/paths.js";
import { stepDraws } from "./draws.js";
import { type Evaluator, openEvaluator } from "./evaluate/training.js";
import { makeFolder, removeLeftovers, writeFileAtomically } from "./files.js";
import { Generator } from "./generate.js";
import { inspectData } from "./inspect.js";
import { withFolder } from "./lock/index.js";
import { Run, type RunOptions, type RunResult } from "./loop.js";
import { METRICS_FILES, Metrics, metricsPath } from "./metrics.js";
import { isModelFile, writeDescription } from "./model.js";
import { describeModel, openStep } from "./open.js";
import { runPaths } from "./runFolder.js";
import { requireSameRun } from "./sameRun.js";
import type { TrainingStep } from "./step.js";
import { checkTeacher } from "./teacher.js";

export type { RunOptions, RunProgress, RunResult } from "./loop.js";

type Start = { readonly folder: string; readonly step: number } | undefined;

/** Where a run begins: the checkpoint that was named, else the latest of its folder, else step 0. */
const startingPoint = async (folder: string, resumeFrom: string | null | undefined): Promise<Start> => {
  if (resumeFrom) return findCheckpoint(resumeFrom);
  const latest = (await listCheckpoints(folder)).at(-1);
  return latest === undefined ? undefined : { folder, step: latest };
};

/** Throws when another process trained in the folder between the look at it and the lock on it. */
const requireSameStart = async (config: Config, start: Start, resumeFrom: string | null | undefined): Promise<void> => {
  const now = resumeFrom ? start : await startingPoint(runPaths(config.out).checkpoints, null);
  if (now?.step !== start?.step)
    throw new UserError(`${config.out}: another process has just trained in this folder; give the same command again`);
};

/** Throws a `UserError` when more steps are done than the configuration asks for. */
const requireStepsLeft = ({ out, train: { steps } }: Config, start: Start): void => {
  if (start === undefined || start.step <= steps) return;
  const { tensors } = checkpointPaths(start.folder, start.step);
  throw new UserError(
    `train.steps is ${steps}, but ${tensors} has done ${start.step}; nothing was changed; give train.steps of ${start.step} or more, ` +
      `or train a shorter run in another folder than ${out} with --out`,
  );
};

/** Fills the state from a checkpoint, and returns what that says of itself. */
const restore = async (step: TrainingStep, { folder, step: at }: NonNullable<Start>): Promise<CheckpointState> => {
  const { file, state } = await loadCheckpoint(folder, at);
  try {
    const missing = step.state.names.filter(
      (name) => `${file.header.entries.get(name)?.shape}` !== `${step.state.types[name]!.shape}`,
    );
    if (missing.length > 0)
      throw new UserError(
        `${file.path} is of another model: ${missing.slice(0, 3).join(", ")} differ${missing.length > 3 ? `, and ${missing.length - 3} more` : ""}`,
      );
    for (const name of step.state.names) await step.state.write(name, await file.readWhole(name));
    return state;
  } finally {
    await file.close();
  }
};

/** Removes what killed processes left of this run's files. */
const removeAllLeftovers = async (folder: string): Promise<void> => {
  const paths = runPaths(folder);
  const own = [basename(paths.config), basename(paths.network), ...METRICS_FILES];
  await removeLeftovers(folder, (name) => own.includes(name));
  await removeLeftovers(paths.checkpoints, isCheckpointFile);
  await removeLeftovers(dirname(paths.samples(0)), (name) => /^step-\d+\.png$/.test(name));
  await removeLeftovers(paths.model, isModelFile);
};

/**
 * Trains as a configuration says, in its run folder. Run again, it resumes where it stopped; the result is bit for bit
 * that of an uninterrupted run. Throws `UserError` for bad data, a loss that is not finite, a corrupt checkpoint.
 */
export const runTraining = async (options: RunOptions): Promise<RunResult> => {
  const { config, resumeFrom } = options;
  const dataset = await openDataset(config.data, config.seed);
  try {
    for (const path of [runPaths(config.out).config, metricsPath(config.out)]) await readIfPresent(path); // refused before anything is written
    const start = await startingPoint(runPaths(config.out).checkpoints, resumeFrom);
    if (start && !resumeFrom) await requireSameRun(config, options.onNote);
    requireStepsLeft(config, start);
    const loader = openLoader(dataset, config, start?.step ?? 0);
    await inspectData(dataset, loader, config, start?.step ?? 0, options.onNote);
    await checkTeacher(config.objective, describeModel(config, dataset));
    return await withFolder(config.out, options, async (signal) => {
      await requireSameStart(config, start, resumeFrom);
      await makeFolder(dirname(runPaths(config.out).samples(0)));
      await removeAllLeftovers(config.out);
      return withRuntime(options, (runtime) => trainIn({ ...options, signal }, dataset, loader, start, runtime));
    });
  } finally {
    await dataset.close();
  }
};

const openLoader = (dataset: Dataset, { seed, data, train }: Config, startStep: number): Loader => {
  const { flip, augment, onError } = data;
  return new Loader(dataset, { seed, batch: train.batch, startStep, flip, augment, onError });
};

const withRuntime = async <T>(
  { runtime, config }: Pick<RunOptions, "runtime" | "config">,
  use: (runtime: Runtime) => Promise<T>,
): Promise<T> => {
  if (runtime) return use(runtime);
  const own = await openRuntime(config.train.threads ? { threads: config.train.threads } : {});
  try {
    return await use(own);
  } finally {
    await own.close();
  }
};

const trainIn = async (
  options: RunOptions,
  dataset: Dataset,
  loader: Loader,
  start: Start,
  runtime: Runtime,
): Promise<RunResult> => {
  const { config, onNote } = options;
  const description = describeModel(config, dataset);
  const paths = runPaths(config.out);
  const { step, release } = await openStep(runtime, config, description);
  const generator = await Generator.create(runtime, description, { batch: sheetBatch(config) });
  let evaluator: Evaluator | undefined;
  try {
    if (config.evaluation.every !== null) evaluator = await openEvaluator(runtime, config, description, options);
    const restored = start && (await restore(step, start));
    const done = start?.step ?? 0;
    if (start) onNote?.(`going on from step ${done}`);
    if (restored?.samples !== undefined && restored.samples !== dataset.length)
      onNote?.(
        `${dataset.name} has ${dataset.length} samples, and had ${restored.samples} when step ${done} was saved: the batches are others from here on`,
      );
    await writeFileAtomically(paths.config, configToYaml(withAbsolutePaths(config)));
    await writeDescription(paths.network, description);
    const metrics = await Metrics.open(config.out, done);
    const standing = { done, health: restored?.health, samples: dataset.length };
    const run = new Run(options, description, step, loader, generator, metrics, evaluator, standing);
    const result = await run.toTheEnd();
    for (const line of loader.skipped) onNote?.(`skipped ${line}`);
    return result;
  } finally {
    evaluator?.release();
    await generator.release();
    release();
  }
};

/** Median seconds of a training step of this configuration, by running a few; nothing is written. */
export const timeTraining = async (config: Config, { warmUp = 3, steps = 15 } = {}): Promise<number> => {
  const dataset = await openDataset(config.data, config.seed);
  const loader = openLoader(dataset, config, 0);
  try {
    return await withRuntime({ config }, async (runtime) => {
      const description = describeModel(config, dataset);
      const { step, release } = await openStep(runtime, config, description);
      const seconds: number[] = [];
      for (let k = 0; k < warmUp + steps; k++) {
        const start = performance.now();
        await step.gradients(...stepDraws(config, description, step, await loader.next(), k));
        await step.update(k + 1);
        if (k >= warmUp) seconds.push((performance.now() - start) / 1000);
      }
      release();
      return quantile(seconds, 0.5);
    });
  } finally {
    await dataset.close();
  }
};

/** Samples per network evaluation when a sheet is drawn. */
const sheetBatch = ({ data, train }: Config): number => Math.min(data.kind === "points" ? 1024 : 64, train.sampleCount);
