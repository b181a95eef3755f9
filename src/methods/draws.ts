import { type Key, key } from "../random/random.js";
import type { DrawContext, RawBatch } from "./method.js";

/** Keys of one step's draws: one for each purpose and sample. */
export const stepKeys = ({ seed, step }: DrawContext, indices: readonly number[]) => {
  const purposeKey = (purpose: string): Key => key(seed).fold(purpose).fold(step);
  /** `draw` of a key of its own, for each sample from `from` up to `to` of the batch. */
  const each = (purpose: string, draw: (key: Key) => number, from = 0, to = indices.length) => {
    const root = purposeKey(purpose);
    return Float32Array.from(indices.slice(from, to), (sample) => draw(root.fold(sample)));
  };
  /** Standard normal noise for every sample, as one array. */
  const noise = (purpose: string, size: number): Float32Array<ArrayBuffer> => {
    const root = purposeKey(purpose);
    const all = new Float32Array(size * indices.length);
    indices.forEach((sample, j) => {
      all.set(root.fold(sample).normal(size), j * size);
    });
    return all;
  };
  return { each, noise };
};

/** One draw from N(0, 1), and one from [0, 1). */
export const standardNormal = (key: Key): number => key.normal(1)[0]!;
export const unit = (key: Key): number => key.uniform(1)[0]!;

/** What every loss reads: images, noise, labels before dropout and after it. Unconditional samples have the null label. */
export const sampleDraws = ({ images, labels, indices }: RawBatch, context: DrawContext, labelDropout: number) => {
  const { each, noise } = stepKeys(context, indices);
  const none = BigInt(context.classes);
  const used = context.classes > 0 ? labels : labels.map(() => none);
  const hidden = labelDropout > 0 && context.classes > 0 ? each("label-dropout", unit) : undefined;
  return {
    x_0: images,
    eps: noise("noise", images.length / indices.length),
    labels: used,
    trained: hidden ? used.map((label, j) => (hidden[j]! < labelDropout ? none : label)) : used,
  };
};
