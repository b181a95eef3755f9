import type { HostArray, Shape, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import type { GuidedSamples } from "../objectives/index.js";
import { constant, equal, full, input, reshape, slice } from "../ops/index.js";
import type { Conditions } from "../paths/index.js";
import type { DrawContext, StepKeys } from "./draws.js";

/** What a batch holds: `batch` samples of shape `sample`, such as [C H W]; `classes` 0 means unconditional. */
export type BatchShape = {
  readonly batch: number;
  readonly sample: Shape;
  readonly classes: number;
  /** Conditions beside the label that the data bring, as program inputs; axis 0 is the batch. */
  readonly conditions?: Readonly<Record<string, TensorType>>;
};

/** What a loader gives: samples [B …] in about [−1, 1], labels, and the samples' places in the whole run. */
export type RawBatch = {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: BigInt64Array<ArrayBuffer>;
  readonly indices: readonly number[];
  /** How the images were augmented [B A], where they were. */
  readonly augment?: Float32Array<ArrayBuffer>;
};

/** The row of a batch that each sample is in, 0 … B − 1. */
const rowNumbers = (batch: number): Tensor => constant([...Array(batch).keys()], [batch], "int64");

/**
 * Samples conditioned on a label: as training sees it, before it was dropped, and dropped, which is the label `classes`.
 * label and given int64 [B]; `others` are conditions that are never dropped; `rank` is that of the samples.
 */
export const labeled = (
  { label, given = label }: { readonly label: Tensor; readonly given?: Tensor },
  classes: number,
  rank: number,
  others: Conditions = {},
): Pick<GuidedSamples, "c" | "c_given" | "c_null" | "dropped"> => {
  const none = full(classes, label.type);
  return {
    c: { label, ...others },
    c_given: { label: given, ...others },
    c_null: { label: none, ...others },
    dropped: reshape(equal(label, none), { shape: [label.dim(0), ...Array<number>(rank - 1).fill(1)] }),
  };
};

/** The samples of a batch as program inputs: x_0 and eps [B …], `label` after dropout and `label_given` before it. */
export const sampleInputs = ({ batch, sample, classes, conditions = {} }: BatchShape): GuidedSamples => {
  const float = { dtype: "float32", shape: [batch, ...sample] } as const;
  const whole = { dtype: "int64", shape: [batch] } as const;
  const labels = { label: input("label", whole), given: input("label_given", whole) };
  const others = Object.fromEntries(Object.entries(conditions).map(([name, type]) => [name, input(name, type)]));
  return {
    x_0: input("x_0", float),
    eps: input("eps", float),
    ...labeled(labels, classes, 1 + sample.length, { row: rowNumbers(batch), ...others }),
  };
};

/** Their values. `labelDropout` is the probability that a label is dropped; unconditional samples have the null label. */
export const sampleValues = (
  { images, labels, indices }: RawBatch,
  keys: StepKeys,
  { classes }: DrawContext,
  labelDropout: number,
): Record<string, HostArray> => {
  const none = BigInt(classes);
  const given = classes > 0 ? labels : labels.map(() => none);
  const drops = labelDropout > 0 && classes > 0;
  const dropped = indices.map((index) => drops && keys.sample(index).uniform("label-dropout") < labelDropout);
  return {
    x_0: images,
    eps: noiseOf(keys, indices, images.length / indices.length),
    label: given.map((label, j) => (dropped[j] ? none : label)),
    label_given: given,
  };
};

/** Standard normal noise of `size` numbers for every sample, one after another. */
const noiseOf = (keys: StepKeys, indices: readonly number[], size: number): Float32Array<ArrayBuffer> => {
  const all = new Float32Array(size * indices.length);
  for (const [j, index] of indices.entries()) all.set(keys.of("noise", index).normal(size), j * size);
  return all;
};

type Rows = { readonly [name: string]: Tensor | Rows };

/** Rows `start` up to `end` of everything in a batch that has rows; scalars belong to all samples. */
export const partOf = <B extends Rows>(batch: B, start: number, end: number): B =>
  Object.fromEntries(
    Object.entries(batch).map(([name, x]) => {
      if (!isTensorLike(x)) return [name, partOf(x, start, end)];
      return [name, x.rank === 0 ? x : slice(x, { axis: 0, start, end })];
    }),
  ) as B;

const isTensorLike = (x: Tensor | Rows): x is Tensor => "node" in x && "rank" in x;

/** How many samples of a batch, its first ones, take the first of two losses. */
export const firstCount = (fraction: number, batch: number): number => Math.floor(fraction * batch);

/** Whether n equal parts of a batch can each hold the same number of first samples. */
export const dividesEvenly = (batch: number, parts: number, fraction = 0): boolean =>
  batch % parts === 0 && firstCount(fraction, batch) === parts * firstCount(fraction, batch / parts);

/**
 * Part j of n of a batch, with its part of the first samples and of the others: the mean loss over the parts is the
 * loss of the whole, and so are the gradients (gradient accumulation).
 */
export const microBatch = (whole: RawBatch, j: number, n: number, fraction = 0): RawBatch => {
  if (n === 1) return whole;
  const { images, labels, indices, augment } = whole;
  const batch = indices.length;
  const first = firstCount(fraction, batch);
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
