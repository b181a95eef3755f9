import { setImmediate as nextTurn } from "node:timers/promises";
import type { Batch, Loader } from "../data/index.js";
import { UserError } from "../errors.js";
import type { HostArray } from "../graph/dtype.js";
import { learningRate } from "../optim/index.js";
import type { Runtime } from "../runtime/index.js";
import { NotFinite, saveCheckpoint } from "./checkpoint.js";
import type { Config } from "./config/index.js";
import { stepDraws } from "./draws.js";
import type { Evaluator } from "./evaluate/training.js";
import { afterFailure, Diverged, goodCheckpoint } from "./failure.js";
import { collect, type Generated, type Generator } from "./generate.js";
import { type Health, LossWatch } from "./health.js";
import { LockLost } from "./lock/index.js";
import type { Metrics } from "./metrics.js";
import { type ModelDescription, saveModel } from "./model.js";
import { encodePng, sheetOf, writePng } from "./picture.js";
import { runPaths } from "./runFolder.js";
import { type StoredTensor, toFloat32 } from "./safetensorsFile.js";
import { emaName, type Report, type TrainingStep } from "./step.js";

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

const stateTensors = ({ state }: TrainingStep): StoredTensor[] =>
  state.names.map((name) => ({
    name,
    shape: state.types[name]!.shape,
    precision: state.types[name]!.dtype === "float64" ? "float64" : "float32",
    read: async () => (await state.read(name)) as Float32Array | Float64Array,
  }));

/** The averaged weights as they are sampled with and saved: in float32, by parameter. */
const averagedWeights = (step: TrainingStep): StoredTensor[] =>
  stateTensors(step)
    .filter(({ name }) => name.startsWith(emaName("")))
    .map(({ name, shape, read }) => ({
      name: name.slice(emaName("").length),
      shape,
      read: async () => toFloat32(await read()),
    }));

/** What a step works on. */
type Prepared = {
  readonly batch: Batch;
  readonly skipped: number;
  /** For the batch, or for each of its parts. */
  readonly draws: readonly Readonly<Record<string, HostArray>>[];
};

/** Where a run stands when it begins here. */
export type Standing = { readonly done: number; readonly health: Health | undefined; readonly samples: number };

/** A run in progress: steps, metrics, sheets of samples, checkpoints, and at the end the model. */
export class Run {
  private readonly sums: Record<string, number> = {};
  private summed = 0;
  private since = performance.now();
  private last: Report = {};
  private savedAt: number;
  private done: number;
  private readonly losses: LossWatch;
  /** Whether the state is that of `done` whole steps: what may be saved. */
  private whole = true;
  private ahead: Promise<Prepared> | undefined;

  constructor(
    private readonly options: RunOptions,
    private readonly description: ModelDescription,
    private readonly step: TrainingStep,
    private readonly loader: Loader,
    private readonly generator: Generator,
    private readonly metrics: Metrics,
    private readonly evaluator: Evaluator | undefined,
    private readonly standing: Standing,
  ) {
    this.done = standing.done;
    this.savedAt = standing.done;
    this.losses = new LossWatch(standing.health);
  }

  private get config(): Config {
    return this.options.config;
  }

  /** Trains to the end, or until it is stopped. On any failure the last whole step is saved first. */
  async toTheEnd(): Promise<RunResult> {
    try {
      return await this.stepByStep();
    } catch (thrown) {
      throw thrown instanceof Diverged ? thrown : await this.afterFailure(thrown);
    }
  }

  private async stepByStep(): Promise<RunResult> {
    const { steps } = this.config.train;
    while (this.done < steps && !this.options.signal?.aborted) await this.oneStep();
    await this.save();
    const finished = this.done === steps;
    if (finished) await this.exportModel();
    else this.options.onNote?.(`stopped after step ${this.done}; the same command goes on from there`);
    return { folder: this.config.out, step: this.done, finished, last: this.last };
  }

  private async afterFailure(thrown: unknown): Promise<unknown> {
    const folder = runPaths(this.config.out).checkpoints;
    const text = await afterFailure(thrown, { folder, done: this.done, save: () => this.save() });
    if (thrown instanceof UserError) return new UserError(`${thrown.message}; ${text}`);
    this.options.onNote?.(text);
    return thrown;
  }

  /** The batch of a step and everything drawn for it: a function of the step alone, so it can be made ahead. */
  private async prepare(step: number): Promise<Prepared> {
    const batch = await this.loader.next();
    const skipped = this.loader.skipped.size;
    const draws = stepDraws(this.config, this.description, this.step, batch, step);
    return { batch, skipped, draws };
  }

  /** The same for the step after this one, once this one's program has been handed to its threads. */
  private prepareNext(): void {
    const next = this.done + 1;
    this.ahead = next < this.config.train.steps ? nextTurn().then(() => this.prepare(next)) : undefined;
    this.ahead?.catch(() => {}); // reported when its turn comes
  }

  private async oneStep(): Promise<void> {
    const { train, evaluation } = this.config;
    const { batch, skipped, draws } = await (this.ahead ?? this.prepare(this.done));
    const running = this.step.gradients(...draws);
    this.prepareNext();
    const losses = await running;
    await this.requireFinite(losses, batch);
    this.whole = false;
    const report = { ...losses, ...(await this.step.update(this.done + 1)) };
    await this.requireFinite(report, batch);
    this.done++;
    this.whole = true;
    this.losses.add(report.loss ?? 0);
    this.last = skipped > 0 ? { ...report, skipped } : report;
    this.options.onProgress?.({ step: this.done, steps: train.steps, values: this.last });
    await this.record();
    if (this.isDue(train.sampleEvery)) await this.aside(() => this.drawSamples());
    if (this.isDue(evaluation.every)) await this.aside(() => this.savedBeforeTheEndOf(() => this.evaluate()));
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
    throw await this.diverged(
      `step ${this.done + 1}: ${wrong[0]} is ${wrong[1]}; its batch is samples ${indices[0]} to ${indices.at(-1)} of the run ` +
        `(images ${positions.slice(0, 8).join(", ")}${positions.length > 8 ? ", …" : ""})`,
    );
  }

  private async diverged(what: string): Promise<Diverged> {
    const back = await goodCheckpoint(runPaths(this.config.out).checkpoints);
    return new Diverged(`${what}; ${back}; a lower learning rate or optimizer.clipNorm may help`);
  }

  /** Whether something is due after this step that happens every so many, and at the end. */
  private isDue(every: number | null): boolean {
    return every !== null && (this.done % every === 0 || this.done === this.config.train.steps);
  }

  /** Work that takes longer than the time between SIGTERM and SIGKILL: an abort saves while it is under way. */
  private async savedBeforeTheEndOf(work: () => Promise<void>): Promise<void> {
    const { signal } = this.options;
    if (signal?.aborted) await this.save();
    let saving = Promise.resolve();
    const save = (): void => {
      saving = this.save();
      saving.catch(() => {}); // reported below
    };
    signal?.addEventListener("abort", save, { once: true });
    try {
      await work();
    } finally {
      signal?.removeEventListener("abort", save);
      await saving;
    }
  }

  /** Does what is no training: its time does not count. */
  private async aside(work: () => Promise<void>): Promise<void> {
    const start = performance.now();
    await work();
    this.since += performance.now() - start;
  }

  /** Samples of the averaged weights, the same noise every time. */
  private async drawn(count: number): Promise<Generated> {
    const { weights, release } = await this.step.averaged();
    const labels = this.description.classes.map((_, i) => i);
    const { seed } = this.config;
    return collect(this.generator.generate({ count, labels, seed, weights })).finally(release);
  }

  private async evaluate(): Promise<void> {
    const figures = await this.evaluator!.figures(await this.drawn(this.config.evaluation.count));
    await this.metrics.scalars(this.done, figures);
    await this.metrics.draw();
    const texts = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
    this.options.onNote?.(`step ${this.done}: ${texts.join(", ")}`);
  }

  private async drawSamples(): Promise<void> {
    const { network } = this.description;
    const { sampleCount: count } = this.config.train;
    const { images } = await this.drawn(count);
    const picture = sheetOf(images, { count, ...network }, { scale: network.imageSize < 64 ? 2 : 1 });
    await writePng(runPaths(this.config.out).samples(this.done), picture);
    await this.metrics.draw();
    await this.metrics.image(this.done, "samples", {
      png: await encodePng(picture),
      width: picture.width,
      height: picture.height,
    });
  }

  private async save(): Promise<void> {
    const { signal } = this.options;
    if (signal?.reason instanceof LockLost) throw signal.reason; // the folder is another process's now
    if (this.savedAt === this.done) return;
    if (!this.whole) throw new UserError("the next step was under way");
    const { seed, out, train } = this.config;
    const { samples } = this.standing;
    const tensors = stateTensors(this.step);
    const own = { step: this.done, seed, samples, health: this.losses.health, tensors, keep: train.keepCheckpoints };
    try {
      await saveCheckpoint(runPaths(out).checkpoints, own, this.options.onNote);
    } catch (thrown) {
      if (!(thrown instanceof NotFinite)) throw thrown;
      throw await this.diverged(`step ${this.done}: ${thrown.message}, so it was not saved`);
    }
    this.savedAt = this.done;
  }

  private async exportModel(): Promise<void> {
    await saveModel(runPaths(this.config.out).model, this.description, averagedWeights(this.step), this.done);
  }
}
