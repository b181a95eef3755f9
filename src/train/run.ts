import { readFile } from "node:fs/promises";
import { type Batch, type Dataset, Loader, openDataset } from "../data/index.js";
import { UserError } from "../errors.js";
import { grid, toBytes } from "../formats/grid.js";
import { type Parameter, parameterInput } from "../nn/index.js";
import { adamw, learningRate } from "../optim/index.js";
import { key } from "../random/random.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { checkpointPaths, findCheckpoint, listCheckpoints, loadCheckpoint, saveCheckpoint } from "./checkpoint.js";
import { type Config, configToYaml, modelSizes, parseConfig } from "./config/index.js";
import { writeFileAtomically } from "./files.js";
import { collect, Generator } from "./generate.js";
import { Metrics } from "./metrics.js";
import { type ModelDescription, openNetwork, saveModel, writeDescription } from "./model.js";
import { encodePng, writePng } from "./picture.js";
import { lockFolder, runPaths } from "./runFolder.js";
import type { StoredTensor } from "./safetensorsFile.js";
import { buildLoss, drawBatch } from "./soflow.js";
import { emaName, type Report, TrainingStep } from "./step.js";

/** Where a run stands, for whoever shows it. */
export type RunProgress = {
  readonly step: number;
  readonly steps: number;
  readonly values: Readonly<Record<string, number>>;
};

export type RunOptions = {
  readonly config: Config;
  /** A checkpoint to go on from; null: the latest of the run folder, or the beginning. */
  readonly resumeFrom?: string | null;
  /** When aborted, the step in progress is finished and saved. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Lines for people: what was resumed, saved, skipped. */
  readonly onNote?: (text: string) => void;
  /** A runtime to use; by default one is opened and closed. */
  readonly runtime?: Runtime;
};

/** How a run ended. */
export type RunResult = {
  readonly folder: string;
  readonly step: number;
  readonly finished: boolean;
  readonly last: Report;
};

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

const stateTensors = ({ state }: TrainingStep): StoredTensor[] =>
  state.names.map((name) => ({
    name,
    shape: state.types[name]!.shape,
    read: async () => (await state.read(name)) as Float32Array,
  }));

/** A run in progress. */
class Run {
  private readonly sums: Record<string, number> = {};
  private summed = 0;
  private since = performance.now();
  private last: Report = {};
  private savedAt: number;

  constructor(
    private readonly options: RunOptions,
    private readonly description: ModelDescription,
    private readonly step: TrainingStep,
    private readonly loader: Loader,
    private readonly generator: Generator,
    private readonly metrics: Metrics,
    private done: number,
  ) {
    this.savedAt = done;
  }

  private get config(): Config {
    return this.options.config;
  }

  async toTheEnd(): Promise<RunResult> {
    const { steps } = this.config.train;
    while (this.done < steps && !this.options.signal?.aborted) await this.oneStep();
    await this.save();
    const finished = this.done === steps;
    if (finished) await this.exportModel();
    else this.options.onNote?.(`stopped after step ${this.done}; the same command goes on from there`);
    return { folder: this.config.out, step: this.done, finished, last: this.last };
  }

  private async oneStep(): Promise<void> {
    const { seed, train } = this.config;
    const batch = await this.loader.next();
    const skipped = this.loader.skipped.size;
    const draws = drawBatch(this.config.objective, batch, {
      seed,
      step: this.done,
      steps: train.steps,
      classes: this.description.classes.length,
    });
    const losses = await this.step.gradients(draws);
    await this.requireFinite(losses, batch);
    const report = { ...losses, ...(await this.step.update(this.done + 1)) };
    await this.requireFinite(report, batch);
    this.done++;
    this.last = skipped > 0 ? { ...report, skipped } : report;
    this.options.onProgress?.({ step: this.done, steps: train.steps, values: this.last });
    await this.record();
    if (this.done % train.sampleEvery === 0 || this.done === train.steps) await this.drawSamples();
    if (this.done % train.checkpointEvery === 0) await this.save();
  }

  /** Logs the means since the last line of metrics. */
  private async record(): Promise<void> {
    for (const [name, value] of Object.entries(this.last)) this.sums[name] = (this.sums[name] ?? 0) + value;
    this.summed++;
    const { logEvery, steps } = this.config.train;
    if (this.done % logEvery !== 0 && this.done !== steps) return;
    const means = Object.entries(this.sums).map(([name, sum]) => [name, sum / this.summed] as const);
    const seconds = (performance.now() - this.since) / 1000;
    const rate = learningRate({ ...this.config.optimizer, ...this.config.train })(this.done);
    await this.metrics.scalars(this.done, {
      ...Object.fromEntries(means),
      learning_rate: rate,
      steps_per_second: this.summed / seconds,
    });
    for (const name of Object.keys(this.sums)) this.sums[name] = 0;
    this.summed = 0;
    this.since = performance.now();
  }

  private async requireFinite(report: Report, { indices, positions }: Batch): Promise<void> {
    const wrong = Object.entries(report).find(([, value]) => !Number.isFinite(value));
    if (!wrong) return;
    const folder = runPaths(this.config.out).checkpoints;
    const good = (await listCheckpoints(folder)).at(-1);
    const back =
      good === undefined
        ? "there is no checkpoint yet"
        : `the last good checkpoint is ${checkpointPaths(folder, good).tensors}`;
    throw new UserError(
      `step ${this.done + 1}: ${wrong[0]} is ${wrong[1]}; its batch is samples ${indices[0]} to ${indices.at(-1)} of the run ` +
        `(images ${positions.slice(0, 8).join(", ")}${positions.length > 8 ? ", …" : ""}); ${back}; a lower learning rate or optimizer.clipNorm may help`,
    );
  }

  private async drawSamples(): Promise<void> {
    const { classes, network } = this.description;
    const weights = Object.fromEntries(
      Object.entries(this.step.state.inputs("ema.")).map(([name, tensor]) => [
        parameterInput(name.slice("ema.".length)),
        tensor,
      ]),
    );
    const options = {
      count: this.config.train.sampleCount,
      evaluations: 1,
      labels: classes.map((_, i) => i),
      seed: this.config.seed,
    };
    const { images } = await collect(this.generator.generate(weights, options));
    const picture = grid(
      { data: toBytes(images), count: options.count, channels: network.channels, size: network.imageSize },
      { scale: network.imageSize < 64 ? 2 : 1 },
    );
    await writePng(runPaths(this.config.out).samples(this.done), picture);
    await this.metrics.draw();
    await this.metrics.image(this.done, "samples", {
      png: await encodePng(picture),
      width: picture.width,
      height: picture.height,
    });
  }

  private async save(): Promise<void> {
    if (this.savedAt === this.done) return;
    const { seed, out, train } = this.config;
    const checkpoint = { step: this.done, seed, tensors: stateTensors(this.step), keep: train.keepCheckpoints };
    await saveCheckpoint(runPaths(out).checkpoints, checkpoint);
    this.savedAt = this.done;
  }

  private async exportModel(): Promise<void> {
    const averaged = stateTensors(this.step).filter(({ name }) => name.startsWith("ema."));
    const weights = averaged.map((tensor) => ({ ...tensor, name: tensor.name.slice("ema.".length) }));
    await saveModel(runPaths(this.config.out).model, this.description, weights, this.done);
  }
}

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
