import { editPath } from "../editing/index.js";
import { input } from "../ops/index.js";
import type { PathName } from "../paths/index.js";
import type { Runtime } from "../runtime/index.js";
import type { Plan } from "../samplers/index.js";
import { Generator, readWeights } from "../train/generate.js";
import { checkWeights, type ModelDescription, openNetwork } from "../train/model.js";
import { type Precision, planOf } from "../train/plan.js";
import { batchSizes, fillSizes } from "../train/sizes.js";
import { openSource, type WeightsChoice } from "../train/source.js";
import { type Batch, Batcher, type SubmitOptions } from "./batcher.js";
import { infoOf } from "./info.js";
import { openPictures, type Pictures } from "./pictures.js";
import type { ModelInfo } from "./protocol.js";
import { Refusal } from "./refusal.js";

/**
 * One image to make: from noise in a number of steps; or what f(x_t, t, 0) makes of a start at time t, as the network has it (a
 * latent stays one).
 */
export type Drawing = {
  readonly label: number;
  /** Standard normal noise at move k, as many numbers as the network has. */
  readonly noise: (move: number) => Float32Array;
  readonly onMove?: (done: number) => void;
} & ({ readonly steps: number } | { readonly start: Float32Array; readonly t: number });

/** A picture to be made a latent, or back. `id` differs from all others': each is a batch of its own. */
export type Conversion = {
  readonly convert: "toModel" | "toPictures";
  readonly values: Float32Array;
  readonly id: number;
};

export type Job = Drawing | Conversion;

/** An image [C H W] in about [−1, 1] (of a start, what the network makes of it), and the evaluations that it took. */
export type Made = { readonly image: Float32Array; readonly evaluations: number };

export type ServedOptions = {
  readonly runtime: Runtime;
  readonly maxBatch: number;
  readonly maxWait: number;
  readonly maxQueue: number;
  readonly weights: WeightsChoice;
  readonly precision: Precision;
  /** Folder of the autoencoder, for models that draw latents. */
  readonly vae?: string | undefined;
  readonly report: (text: string) => void;
  /** Told of every batch that ran: its images and seconds. */
  readonly onBatch?: (images: number, seconds: number) => void;
};

const laneOf = (job: Job): string => {
  if ("convert" in job) return `convert ${job.id}`;
  return "steps" in job ? `steps ${job.steps}` : "edit";
};

/** A model with its weights in memory, compiled for a few batch sizes, and the queue before it. */
export class ServedModel {
  readonly batcher: Batcher<Job, Made>;
  readonly path: PathName | undefined;
  private readonly moves = new Map<number, Plan["moves"]>();
  private conversions = 0;

  private constructor(
    readonly info: ModelInfo,
    /** What names its weights, for who opens them again. */
    readonly source: string,
    readonly description: ModelDescription,
    private readonly generators: ReadonlyMap<number, Generator>,
    readonly pictures: Pictures,
    private readonly options: ServedOptions,
  ) {
    this.path = editPath(description.method);
    this.batcher = new Batcher({ ...options, laneOf, run: (jobs, batch) => this.run(jobs, batch) });
  }

  /** Opens a run folder, a model folder or a checkpoint. Throws a `UserError` where it is none or draws no images. */
  static async open(name: string, source: string, options: ServedOptions): Promise<ServedModel> {
    const { path, description, file, prefix } = await openSource(source, options.weights, "serve");
    try {
      const { parameters } = openNetwork(description.network);
      checkWeights(file, parameters, prefix);
      const weights = await readWeights(description, (parameter) => file.read(prefix + parameter));
      const pictures = await openPictures(options.runtime, description.network, options.vae);
      const generators = new Map<number, Generator>();
      options.report(`compiling ${name}`); // a large model takes a while
      for (const batch of batchSizes(options.maxBatch)) {
        const settings = { batch, precision: options.precision };
        generators.set(batch, await Generator.create(options.runtime, description, settings, weights));
      }
      return new ServedModel(infoOf(name, description, pictures), path, description, generators, pictures, options);
    } finally {
      await file.close();
    }
  }

  /** Numbers of a sample's noise. */
  get noiseLength(): number {
    const { channels, imageSize } = this.description.network;
    return channels * imageSize ** 2;
  }

  /** Throws a `UserError` where the model's sampler cannot take this many steps. */
  checkSteps(steps: number): void {
    this.movesFor(steps);
  }

  private movesFor(steps: number): Plan["moves"] {
    const known = this.moves.get(steps);
    if (known) return known;
    const y = input("y", { dtype: "int64", shape: [1] });
    const { moves } = planOf(this.description, y, { batch: 1, steps }).plan;
    this.moves.set(steps, moves);
    return moves;
  }

  /** A picture as the network has it, or back; waits in the queue like all that the model does. */
  async convert(
    convert: Conversion["convert"],
    values: Float32Array,
    { signal }: SubmitOptions<Made>,
  ): Promise<Float32Array> {
    if (!this.pictures.areDecoded) return values;
    const job = { convert, values, id: this.conversions++ };
    const [made] = await this.batcher.submit([job], signal ? { signal } : {});
    return made!.image;
  }

  private async run(jobs: readonly Job[], batch: Batch): Promise<readonly (Made | undefined)[]> {
    const [first] = jobs;
    if (first && "convert" in first) {
      const { toModel, toPictures } = this.pictures;
      const image = await (first.convert === "toModel" ? toModel(first.values) : toPictures(first.values, 1));
      return [{ image, evaluations: 0 }];
    }
    return this.drawAll(jobs as readonly Drawing[], batch); // a lane has one kind
  }

  /** Draws part by part, each of a size that is compiled; what nobody waits for any more is left out. */
  private async drawAll(jobs: readonly Drawing[], { isWanted, signal }: Batch): Promise<readonly (Made | undefined)[]> {
    const made: (Made | undefined)[] = jobs.map(() => undefined);
    let left = jobs.map((_, i) => i).filter(isWanted);
    while (left.length > 0) {
      const [size] = fillSizes(left.length, [...this.generators.keys()]) as [number];
      const began = performance.now();
      const part = left.slice(0, size);
      const images = await this.draw(
        part.map((i) => jobs[i]!),
        size,
        signal,
      );
      for (const [k, i] of part.entries()) made[i] = images[k];
      this.options.onBatch?.(part.length, (performance.now() - began) / 1000);
      left = left.slice(size).filter(isWanted);
    }
    return made;
  }

  private async draw(jobs: readonly Drawing[], size: number, signal: AbortSignal): Promise<readonly Made[]> {
    const onMove = (done: number): void => {
      for (const job of jobs) job.onMove?.(done);
    };
    const moves = until(signal, this.movesOf(jobs, size));
    const { images, evaluations } = await this.generators.get(size)!.draw(jobs, { moves, onMove });
    const length = images.length / jobs.length;
    const made: Made[] = [];
    for (const [i, job] of jobs.entries()) {
      signal.throwIfAborted();
      const own = images.slice(i * length, (i + 1) * length);
      made.push({ image: "start" in job ? own : await this.pictures.toPictures(own, 1), evaluations });
    }
    return made;
  }

  private movesOf(jobs: readonly Drawing[], size: number): ReturnType<Plan["moves"]> {
    const [first] = jobs;
    if (first && "steps" in first) return this.movesFor(first.steps)(size);
    return editMoves(Float32Array.from({ length: size }, (_, i) => timeOf(jobs[i])));
  }

  async release(): Promise<void> {
    for (const generator of this.generators.values()) await generator.release();
    await this.pictures.release();
  }
}

const timeOf = (job: Drawing | undefined): number => (job && "t" in job ? job.t : 1);

/** From time t of each sample down to data: x̂_0 = f(x_t, t, 0), as a step of either sampler by the solution function. */
function* editMoves(t: Float32Array): ReturnType<Plan["moves"]> {
  yield { program: "step", at: { t, s: 0, tNext: 0 }, fresh: false };
}

/** The same moves, until a signal aborts: then its reason is thrown between two of them. */
function* until(signal: AbortSignal, moves: ReturnType<Plan["moves"]>): ReturnType<Plan["moves"]> {
  for (let turn = moves.next(); !turn.done; turn = moves.next(yield turn.value)) signal.throwIfAborted();
}

/** The model of a name, by default the first. Throws a `Refusal` where there is none. */
export const modelNamed = (models: readonly ServedModel[], name: string | undefined): ServedModel => {
  const model = name === undefined ? models[0] : models.find(({ info }) => info.name === name);
  if (model) return model;
  const known = models.map(({ info }) => info.name).join(", ");
  throw new Refusal(404, "model", `there is no model ${String(name).slice(0, 100)}; served are ${known}`);
};
