import { readFile } from "node:fs/promises";
import { type Dataset, Loader, openDataset } from "../data/index.js";
import { UserError } from "../errors.js";
import { type Parameter, parameterInput } from "../nn/index.js";
import { adamw, learningRate } from "../optim/index.js";
import { key } from "../random/random.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { findCheckpoint, listCheckpoints, loadCheckpoint } from "./checkpoint.js";
import { type Config, configToYaml, modelSizes, parseConfig } from "./config/index.js";
import { writeFileAtomically } from "./files.js";
import { Generator } from "./generate.js";
import { Run, type RunOptions, type RunResult } from "./loop.js";
import { Metrics } from "./metrics.js";
import { type ModelDescription, openNetwork, writeDescription } from "./model.js";
import { lockFolder, runPaths } from "./runFolder.js";
import { buildLoss } from "./soflow.js";
import { emaName, TrainingStep } from "./step.js";

export type { RunOptions, RunProgress, RunResult } from "./loop.js";

/** The model that a configuration and a dataset describe. One label is no label. */
export const describeModel = ({ model, objective }: Config, dataset: Dataset): ModelDescription => {
  const classes = dataset.classes.length > 1 ? dataset.classes : [];
  const { patch, width, depth, heads } = modelSizes(model);
  const { height: imageSize, channels } = dataset.shape;
  const nullLabel = classes.length > 0 && objective.guidance.labelDropout > 0;
  const network = { imageSize, channels, patch, width, depth, heads, classes: classes.length, nullLabel };
  return {
    format: "soflow",
    version: 1,
    network,
    path: objective.path,
    parameterisation: objective.parameterisation,
    classes,
  };
};

const buildStep = (runtime: Runtime, config: Config, description: ModelDescription): Promise<TrainingStep> => {
  const { network, parameters } = openNetwork(description.network);
  const { imageSize: side, channels, classes } = description.network;
  const loss = buildLoss(config.objective, network, { batch: config.train.batch, channels, side, classes });
  const rate = learningRate({ ...config.optimizer, ...config.train });
  const transform = adamw({ ...config.optimizer, learningRate: rate });
  return TrainingStep.create(runtime, {
    loss,
    parameters,
    transform,
    ema: config.ema,
    clipNorm: config.optimizer.clipNorm,
  });
};

/** Official initial values, each from a key of its own; averages begin at the weights. */
const initialise = async (step: TrainingStep, parameters: readonly Parameter[], seed: number): Promise<void> => {
  for (const { name, tensor, initialize } of parameters) {
    const value = initialize(key(seed).fold("init").fold(name), tensor.shape);
    await step.state.write(parameterInput(name), value);
    await step.state.write(emaName(name), value);
  }
};

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
    for (const name of step.state.names) await step.state.write(name, await file.read(name));
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
    const { flip, onError } = config.data;
    const order = { seed: config.seed, batch: config.train.batch, startStep: start?.step ?? 0, flip, onError };
    const loader = new Loader(dataset, order);
    await loader.ready(); // bad data show themselves before anything is written
    const unlock = await lockFolder(config.out);
    try {
      return await withRuntime(options, (runtime) => trainIn(options, dataset, loader, start, runtime));
    } finally {
      await unlock();
    }
  } finally {
    await dataset.close();
  }
};

const withRuntime = async <T>({ runtime, config }: RunOptions, use: (runtime: Runtime) => Promise<T>): Promise<T> => {
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
  const step = await buildStep(runtime, config, description);
  const generator = await Generator.create(runtime, description, Math.min(64, config.train.sampleCount));
  try {
    if (start) await restore(step, start);
    else await initialise(step, openNetwork(description.network).parameters, config.seed);
    const done = start?.step ?? 0;
    if (start) onNote?.(`going on from step ${done}`);
    await writeFileAtomically(paths.config, configToYaml(config));
    await writeDescription(paths.network, description);
    const metrics = await Metrics.open(config.out, done);
    const result = await new Run(options, description, step, loader, generator, metrics, done).toTheEnd();
    for (const line of loader.skipped) onNote?.(`skipped ${line}`);
    return result;
  } finally {
    generator.release();
    step.release();
  }
};
