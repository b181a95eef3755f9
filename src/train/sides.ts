import type { HostArray, Shape, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import type { DrawContext, RawBatch } from "../methods/index.js";
import type { NetworkConfig, NetworkInputs } from "../models/network.js";
import { concat, input, slice } from "../ops/index.js";
import { key } from "../random/random.js";

/**
 * What a network is told in training beside x, t, s and y: what dropout keeps, and how images were augmented. Both
 * belong to the samples of a batch, so all evaluations of a sample see the same.
 */
export type Sides = (samples: readonly number[]) => Pick<NetworkInputs, "augment" | "keep">;

const AUGMENT = "augment";
const keepName = (block: string): string => `keep.${block}`;
const blockOf = (name: string): string => name.slice(keepName("").length);
const isKeep = (name: string): boolean => name.startsWith(keepName(""));

/** Consecutive samples as ranges: [0, 1, 2, 7] → [0, 3), [7, 8). */
const rangesOf = (samples: readonly number[]): readonly (readonly [start: number, end: number])[] => {
  const ranges: [number, number][] = [];
  for (const sample of samples) {
    const last = ranges.at(-1);
    if (last && last[1] === sample) last[1]++;
    else ranges.push([sample, sample + 1]);
  }
  return ranges;
};

/** The rows of a batch's tensor that belong to these samples. */
const rowsOf = (x: Tensor, samples: readonly number[]): Tensor =>
  concat(
    rangesOf(samples).map(([start, end]) => slice(x, { axis: 0, start, end })),
    { axis: 0 },
  );

/** The side inputs of training programs for a batch: `keep.<block>` where there is dropout, `augment` where images are augmented. */
export const sidesOf = (config: NetworkConfig, batch: number, augmented: boolean): Sides => {
  if (config.kind !== "unet") return () => ({});
  const known = new Map<string, Tensor>();
  const once = (name: string, type: TensorType): Tensor => {
    const tensor = known.get(name) ?? input(name, type);
    known.set(name, tensor);
    return tensor;
  };
  const augment = () => once(AUGMENT, { dtype: "float32", shape: [batch, config.augment] });
  const keep = (block: string, shape: Shape) =>
    once(keepName(block), { dtype: "bool", shape: [batch, ...shape.slice(1)] });
  return (samples) => ({
    ...(augmented && config.augment > 0 && { augment: rowsOf(augment(), samples) }),
    ...(config.dropout > 0 && { keep: (block: string, shape: Shape) => rowsOf(keep(block, shape), samples) }),
  });
};

/** For every sample and block, which hidden numbers are kept: a function of (seed, step, sample, block) alone. */
const keepDraws = (
  { shape }: TensorType,
  block: string,
  rate: number,
  { indices }: RawBatch,
  { seed, step }: DrawContext,
): Uint8Array<ArrayBuffer> => {
  const root = key(seed).fold("dropout").fold(step).fold(block);
  const size = shape.slice(1).reduce((n, d) => n * d, 1);
  const all = new Uint8Array(indices.length * size);
  for (const [j, sample] of indices.entries()) all.set(root.fold(sample).bernoulli(size, 1 - rate), j * size);
  return all;
};

/** Values of the side inputs that a program has. */
export const sideDraws = (
  config: NetworkConfig,
  inputs: Readonly<Record<string, TensorType>>,
  raw: RawBatch,
  context: DrawContext,
): Record<string, HostArray> => {
  if (config.kind !== "unet") return {};
  const kept = Object.entries(inputs).filter(([name]) => isKeep(name));
  return {
    ...(raw.augment && AUGMENT in inputs && { [AUGMENT]: raw.augment }),
    ...Object.fromEntries(
      kept.map(([name, type]) => [name, keepDraws(type, blockOf(name), config.dropout, raw, context)]),
    ),
  };
};
