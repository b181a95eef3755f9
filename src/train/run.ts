import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Dataset, Loader, openDataset } from "../data/index.js";
import { UserError } from "../errors.js";
import { openRuntime, quantile, type Runtime } from "../runtime/index.js";
import { findCheckpoint, listCheckpoints, loadCheckpoint } from "./checkpoint.js";
import { type Config, configToYaml, parseConfig } from "./config/index.js";
import { stepDraws } from "./draws.js";
import { type Evaluator, openEvaluator } from "./evaluate/training.js";
import { writeFileAtomically } from "./files.js";
import { Generator } from "./generate.js";
import { Run, type RunOptions, type RunResult } from "./loop.js";
import { Metrics } from "./metrics.js";
import { writeDescription } from "./model.js";
import { describeModel, openStep } from "./open.js";
import { lockFolder, runPaths } from "./runFolder.js";
import type { TrainingStep } from "./step.js";
import { checkTeacher } from "./teacher.js";

export type { RunOptions, RunProgress, RunResult } from "./loop.js";

/** Sections that a run must keep; the loop's own numbers may change between one command and the next. */
const KEPT = ["seed", "data", "model", "objective", "optimizer", "ema"] as const;

/** Throws when the run folder was begun with another configuration; changes of the loop are noted. */
const requireSameRun = async (config: Config, onNote: RunOptions["onNote"]): Promise<void> => {
  const { config: path } = runPaths(config.out);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const before = parseConfig(text, path);
  const differs = (section: keyof Config): boolean =>
    JSON.stringify(before[section]) !== JSON.stringify(config[section]);
  const changed = KEPT.filter(differs);
  if (changed.length > 0)
    throw new UserError(
      `${config.out} was begun with another configuration: ${changed.join(", ")} differ${changed.length === 1 ? "s" : ""} from its config.yaml; ` +
        `choose another folder with --out, or fork it with --resume-from ${config.out}/checkpoints/latest`,
    );
  if (differs("train")) onNote?.("train differs from this run's config.yaml; the new values are used");
};

type Start = { readonly folder: string; readonly step: number } | undefined;

/** Where a run begins: the checkpoint that was named, else the latest of its folder, else step 0. */
const startingPoint = async (folder: string, resumeFrom: string | null | undefined): Promise<Start> => {
  if (resumeFrom) return findCheckpoint(resumeFrom);
  const latest = (await listCheckpoints(folder)).at(-1);
  return latest === undefined ? undefined : { folder, step: latest };
};

const restore = async (step: TrainingStep, { folder, step: at }: NonNullable<Start>): Promise<void> => {
  const { file } = await loadCheckpoint(folder, at);
  try {
    const missing = step.state.names.filter(
      (name) => `${file.header.entries.get(name)?.shape}` !== `${step.state.types[name]!.shape}`,
    );
    if (missing.length > 0)
      throw new UserError(
        `${file.path} is of another model: ${missing.slice(0, 3).join(", ")} differ${missing.length > 3 ? `, and ${missing.length - 3} more` : ""}`,
      );
    for (const name of step.state.names) await step.state.write(name, await file.readWhole(name));
  } finally {
    await file.close();
  }
};

/**
 * Trains as a configuration says, in its run folder. Run again, it goes on where it stopped; the result is bit for bit
 * that of an uninterrupted run. Throws `UserError` for bad data, a loss that is not finite, a corrupt checkpoint.
 */
export const runTraining = async (options: RunOptions): Promise<RunResult> => {
  const { config, resumeFrom } = options;
  const dataset = await openDataset(config.data, config.seed);
  try {
    const start = await startingPoint(runPaths(config.out).checkpoints, resumeFrom);
    if (start && !resumeFrom) await requireSameRun(config, options.onNote);
    const loader = openLoader(dataset, config, start?.step ?? 0);
    await loader.ready(); // bad data show themselves before anything is written
    await checkTeacher(config.objective, describeModel(config, dataset));
    const unlock = await lockFolder(config.out);
    try {
      await mkdir(dirname(runPaths(config.out).samples(0)), { recursive: true });
      return await withRuntime(options, (runtime) => trainIn(options, dataset, loader, start, runtime));
    } finally {
      await unlock();
    }
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
    if (config.evaluation.every !== null) evaluator = await openEvaluator(runtime, config, description, onNote);
    if (start) await restore(step, start);
    const done = start?.step ?? 0;
    if (start) onNote?.(`going on from step ${done}`);
    await writeFileAtomically(paths.config, configToYaml(config));
    await writeDescription(paths.network, description);
    const metrics = await Metrics.open(config.out, done);
    const result = await new Run(options, description, step, loader, generator, metrics, evaluator, done).toTheEnd();
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
