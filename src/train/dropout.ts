import type { HostArray, Shape, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import type { DrawContext, RawBatch } from "../methods/index.js";
import type { NetworkConfig, NetworkInputs } from "../models/network.js";
import { gather, input } from "../ops/index.js";
import { key } from "../random/random.js";

/**
 * Which hidden numbers dropout keeps in training, for rows of a batch.   row int64 [n]
 * Masks belong to the samples of a batch, so all evaluations of a sample see the same.
 */
export type DropoutMasks = (row: Tensor) => Pick<NetworkInputs, "keep">;

const AUGMENT = "augment";
const keepName = (block: string): string => `keep.${block}`;
const blockOf = (name: string): string => name.slice(keepName("").length);
const isKeep = (name: string): boolean => name.startsWith(keepName(""));

/** The masks of a batch as program inputs, `keep.<block>`; undefined for a network without dropout. */
export const dropoutMasks = (config: NetworkConfig, batch: number): DropoutMasks | undefined => {
  if (config.kind !== "unet" || config.dropout === 0) return undefined;
  const known = new Map<string, Tensor>();
  const maskOf = (block: string, shape: Shape): Tensor => {
    const mask = known.get(block) ?? input(keepName(block), { dtype: "bool", shape: [batch, ...shape.slice(1)] });
    known.set(block, mask);
    return mask;
  };
  return (row) => ({ keep: (block, shape) => gather(maskOf(block, shape), row) });
};

/** How images were augmented, as a condition of networks that read it. */
export const augmentCondition = (config: NetworkConfig, batch: number): Record<string, TensorType> =>
  config.kind === "unet" && config.augment > 0
    ? { [AUGMENT]: { dtype: "float32", shape: [batch, config.augment] } }
    : {};

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

/** Values of a program's dropout masks and of the condition `augment`, where it has them. */
export const networkDraws = (
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
