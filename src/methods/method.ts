import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import type { Loss, OneTimeNetwork } from "../objectives/index.js";
import { input, slice } from "../ops/index.js";
import type { Network } from "../paths/index.js";

/** Sizes of a batch: images [batch channels side side]; `classes` 0 means unconditional. */
export type BatchShape = {
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
  readonly classes: number;
};

/** What a loader gives: images [B C H W] in about [−1, 1], labels, and the samples' places in the whole run. */
export type RawBatch = {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: BigInt64Array<ArrayBuffer>;
  readonly indices: readonly number[];
  /** How the images were augmented [B A], where they were. */
  readonly augment?: Float32Array<ArrayBuffer>;
};

/** Where in a run the draws are made: step `step` of `steps` planned, from 0. */
export type DrawContext = {
  readonly seed: number;
  readonly step: number;
  readonly steps: number;
  readonly classes: number;
};

/** The networks that a loss is built on. */
export type Networks = {
  /** The network that learns. */
  readonly network: Network;
  /** The same with the weights of the second average, for a method that has one. */
  readonly average: Network;
  /** The denoiser of the trained model that is distilled, for a method that has a teacher. */
  readonly teacher: OneTimeNetwork | undefined;
};

/** A method as training sees it: what joins an objective to a network, a loader and a loop. */
export type Method = {
  /** Times that the network is told: t and s, or t alone. */
  readonly times: 1 | 2;
  /** Probability that training hides a label; above 0 the network has a null label. */
  readonly labelDropout: number;
  /** The share of a batch, its first samples, that takes the first of two losses; absent: all samples are alike. */
  readonly firstShare?: number;
  /** The loss as a function of program inputs, which `draws` fills by name. */
  readonly loss: (networks: Networks, shape: BatchShape) => Loss;
  /**
   * All random draws of one step. Each depends on (seed, purpose, step, global sample index) alone, so a run is the
   * same on any number of machines and after a resume.
   */
  readonly draws: (batch: RawBatch, context: DrawContext) => Record<string, HostArray>;
  /** Decay at step k (the first is 1) of K of a second average of the weights, which the loss reads. */
  readonly averageDecay?: (k: number, steps: number) => number;
};

/** A network that is told one time, from one that takes two. */
export const oneTime =
  (network: Network): OneTimeNetwork =>
  (x, t, y) =>
    network(x, t, t, y);

/** The program inputs that every loss reads: x_0 and eps [B C H W]; labels after dropout, and before it. */
export const sampleInputs = ({ batch, channels, side }: BatchShape) => {
  const image = { dtype: "float32", shape: [batch, channels, side, side] } as const;
  const label = { dtype: "int64", shape: [batch] } as const;
  return {
    x_0: input("x_0", image),
    eps: input("eps", image),
    labels: input("trained", label),
    original: input("labels", label),
  };
};

/** Samples `start` up to `end` of a batch: of every tensor that a loss reads. */
export const part = <T extends Readonly<Record<string, Tensor>>>(all: T, start: number, end: number): T =>
  Object.fromEntries(Object.entries(all).map(([name, x]) => [name, slice(x, { axis: 0, start, end })])) as T;

/** How many samples of a batch, its first ones, take the first of two losses. */
export const firstCount = (share: number, batch: number): number => Math.floor(share * batch);

/** Whether n equal parts of a batch can each hold the same number of first samples. */
export const dividesEvenly = (batch: number, parts: number, share = 0): boolean =>
  batch % parts === 0 && firstCount(share, batch) === parts * firstCount(share, batch / parts);

/**
 * Part j of n of a batch, with its share of the first samples and of the others: the mean loss over the parts is the
 * loss of the whole, and so are the gradients.
 */
export const microBatch = (whole: RawBatch, j: number, n: number, share = 0): RawBatch => {
  if (n === 1) return whole;
  const { images, labels, indices, augment } = whole;
  const batch = indices.length;
  const first = firstCount(share, batch);
  const run = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const [a, b] = [first / n, (batch - first) / n];
  const chosen = [...run(j * a, (j + 1) * a), ...run(first + j * b, first + (j + 1) * b)];
  return {
    images: rows(images, chosen, batch),
    labels: BigInt64Array.from(chosen, (i) => labels[i]!),
    indices: chosen.map((i) => indices[i]!),
    ...(augment && { augment: rows(augment, chosen, batch) }),
  };
};

/** These rows of a tensor with `batch` rows. */
const rows = (x: Float32Array, chosen: readonly number[], batch: number): Float32Array<ArrayBuffer> => {
  const size = x.length / batch;
  const own = new Float32Array(chosen.length * size);
  for (const [i, from] of chosen.entries()) own.set(x.subarray(from * size, (from + 1) * size), i * size);
  return own;
};

/** A program input of one number for each of `count` samples. */
export const perSampleInput = (name: string, count: number): Tensor =>
  input(name, { dtype: "float32", shape: [count, 1, 1, 1] });
