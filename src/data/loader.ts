import { messageOf, UserError } from "../errors.js";
import { key } from "../random/random.js";
import { augmentImage, augmentLabels, drawAugmentation, labelsOf } from "./augment/augment.js";
import { bytesPerImage, type Dataset, PassingError, type Sample, UnusableSample } from "./dataset.js";

export type LoaderOptions = {
  readonly seed: number;
  /** Images per step. */
  readonly batch: number;
  /** The first step to load, from 0: a resumed run goes on where it was. */
  readonly startStep: number;
  /** Mirrors each image left to right with probability 1/2. */
  readonly flip: boolean;
  /** EDM's augmentation as CIFAR-10's recipes have it: how probable each transformation is; default 0, which is none. */
  readonly augment?: number;
  /**
   * What an unreadable image does: stop the run, or be replaced by the next readable one and counted. Its place alone
   * changes; every other image of every batch stays what it was.
   */
  readonly onError: "stop" | "skip";
  /** Batches that are read ahead of the one in use. */
  readonly ahead?: number;
};

/** The images of one step. */
export type Batch = {
  readonly step: number;
  /** [B C H W]: byte / 127.5 − 1, in [−1, 1]; points as they are; of latents a draw. */
  readonly images: Float32Array<ArrayBuffer>;
  /** [B] */
  readonly labels: BigInt64Array<ArrayBuffer>;
  /** [B 6]: what was done to each image, for the network to know; absent where nothing is augmented. */
  readonly augment?: Float32Array<ArrayBuffer>;
  /** Each sample's place in the whole run: step · B + j. */
  readonly indices: readonly number[];
  /** Which sample of the dataset each is. */
  readonly positions: readonly number[];
};

/**
 * Where global sample g of a run lies in the dataset: epochs of n samples, each in a random order of its own that
 * depends on (seed, epoch) alone.
 */
export const samplingOrder = (seed: number, length: number): ((g: number) => number) => {
  const orders = new Map<number, Uint32Array>();
  return (g) => {
    const epoch = Math.floor(g / length);
    const order = orders.get(epoch) ?? key(seed).fold("data-order").fold(epoch).permutation(length);
    orders.set(epoch, order);
    if (orders.size > 2) orders.delete(orders.keys().next().value!); // the oldest made
    return order[g % length]!;
  };
};

/** Bytes [H W C] to floats [C H W] in [−1, 1], mirrored on demand; floats [C H W] are taken as they are. */
const place = (
  out: Float32Array,
  { pixels }: Sample,
  [channels, height, width]: readonly [number, number, number],
  mirrored: boolean,
): void => {
  if (pixels instanceof Float32Array) {
    out.set(pixels);
    return;
  }
  let i = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        out[i++] = pixels[(y * width + (mirrored ? width - 1 - x : x)) * channels + c]! / 127.5 - 1;
};

/** A draw from a latent's normal distribution: (mean + deviation · ε) · scale. */
const drawLatent = (
  out: Float32Array,
  { deviation, scale }: NonNullable<Sample["spread"]>,
  epsilon: Float32Array,
): void => {
  for (let i = 0; i < out.length; i++) out[i] = (out[i]! + deviation[i]! * epsilon[i]!) * scale;
};

/** Reads batches ahead of training. Batch k is a pure function of (dataset, seed, k, B). */
export class Loader {
  /** Samples that could not be read and were replaced, by source. */
  readonly skipped = new Set<string>();
  private readonly order: (g: number) => number;
  private readonly queue: Promise<Batch>[] = [];
  private nextStep: number;

  constructor(
    private readonly dataset: Dataset,
    private readonly options: LoaderOptions,
  ) {
    this.order = samplingOrder(options.seed, dataset.length);
    this.nextStep = options.startStep;
  }

  /** The batch of the next step. */
  async next(): Promise<Batch> {
    this.readAhead();
    return this.queue.shift()!;
  }

  /** Waits for the next batch without taking it. Rejects when it cannot be read. */
  async ready(): Promise<void> {
    this.readAhead();
    await this.queue[0];
  }

  private readAhead(): void {
    while (this.queue.length <= (this.options.ahead ?? 2)) {
      const batch = this.load(this.nextStep++);
      batch.catch(() => {}); // reported when its turn comes
      this.queue.push(batch);
    }
  }

  private async load(step: number): Promise<Batch> {
    const { batch, seed, flip } = this.options;
    const indices = Array.from({ length: batch }, (_, j) => step * batch + j);
    const positions = indices.map(this.order);
    const samples = await Promise.all(positions.map((position) => this.read(position)));
    const { channels, height, width } = this.dataset.shape;
    const size = bytesPerImage(this.dataset.shape);
    const images = new Float32Array(batch * size);
    samples.forEach((sample, j) => {
      const mirrored = flip && key(seed).fold("flip").fold(indices[j]!).uniform(1)[0]! < 0.5;
      const own = images.subarray(j * size, (j + 1) * size);
      place(own, sample, [channels, height, width], mirrored);
      if (sample.spread) drawLatent(own, sample.spread, key(seed).fold("latent").fold(indices[j]!).normal(size));
    });
    const labels = BigInt64Array.from(samples, ({ label }) => BigInt(label));
    const augment = this.options.augment ? this.augment(samples, images, indices) : undefined;
    return { step, images, labels, ...(augment && { augment }), indices, positions };
  }

  /** Augments the images of a batch, each as (seed, epoch, position) says, and gives the labels of that. */
  private augment(
    samples: readonly Sample[],
    images: Float32Array,
    indices: readonly number[],
  ): Float32Array<ArrayBuffer> {
    const { dataset, options } = this;
    if (samples.some(({ pixels }) => pixels instanceof Float32Array))
      throw new UserError(
        `${dataset.name}: its samples are not pixels, which alone can be augmented; data.augment must be 0`,
      );
    const root = key(options.seed).fold("augment");
    const size = bytesPerImage(dataset.shape);
    const told = indices.map((index, j) => {
      const own = root.fold(Math.floor(index / dataset.length)).fold(this.order(index));
      const drawn = drawAugmentation({ probability: options.augment! }, own);
      augmentImage(images.subarray(j * size, (j + 1) * size), dataset.shape, drawn);
      return labelsOf(drawn);
    });
    const labels = new Float32Array(indices.length * augmentLabels());
    labels.set(told.flat());
    return labels;
  }

  /** A sample, or, when it cannot be read and `onError` is skip, the next one of the dataset that can. */
  private async read(position: number): Promise<Sample> {
    const { dataset, options } = this;
    for (let tried = 0; tried < dataset.length; tried++) {
      const at = (position + tried) % dataset.length;
      try {
        return await dataset.read(at);
      } catch (thrown) {
        if (!(thrown instanceof UserError) || thrown instanceof PassingError) throw thrown;
        if (options.onError === "stop") throw new UnusableSample(thrown.message);
        this.skipped.add(`${dataset.source(at)}: ${messageOf(thrown)}`);
      }
    }
    throw new UserError(`${dataset.name}: none of the ${dataset.length} images could be read`);
  }
}
