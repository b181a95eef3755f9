import { checkpoint } from "../autodiff/index.js";
import { UserError } from "../errors.js";
import type { Shape } from "../graph/dtype.js";
import { last, nth } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { conv, double, dropout, halve, linear, normalInit, type Scope, xavierUniform } from "../nn/index.js";
import { concat, constant, cos, gather, matmul, pad, silu, sin, transpose } from "../ops/index.js";
import type { BuildOptions } from "./dit.js";
import { type BlockOptions, NEARLY_ZERO, unetBlock, unetNorm } from "./unetBlock.js";

/**
 * The U-Net "DDPM++" of Song et al. 2021 (arXiv:2011.13456) in the form of Karras et al. 2022 (arXiv:2206.00364), with
 * SoFlow's two times. Names of parameters as in the official checkpoints. Written from the papers.
 */
export type UNetConfig = {
  readonly kind: "unet";
  /** Side of the square image in pixels; it is halved between the levels. */
  readonly imageSize: number;
  readonly channels: number;
  /** Channels of the first convolution; a multiple of 4. */
  readonly width: number;
  /** Channels of every level, from the finest, in multiples of `width`. */
  readonly multipliers: readonly number[];
  /** Residual blocks of a level on the way down; one more on the way up. */
  readonly depth: number;
  /** Sides of the levels whose blocks have attention. */
  readonly attention: readonly number[];
  /** Share of hidden numbers that training drops. */
  readonly dropout: number;
  /** Numbers that tell the network how an image was augmented; 0 for none. */
  readonly augment: number;
  /** Number of labels; 0 for an unconditional network. */
  readonly classes: number;
  /** Times that the network is told: 2 (t and t − s) for solution functions, 1 (t) for velocities and noise. */
  readonly times?: 1 | 2;
  /** Whether labels can be dropped in training; the null label is `classes`. */
  readonly nullLabel: boolean;
};

/** The network of the CIFAR-10 setting. */
export const UNET_SIZES = {
  "DDPM++": { kind: "unet", width: 128, multipliers: [2, 2, 2], depth: 4, attention: [16], dropout: 0.3, augment: 6 },
} as const;
export type UNetName = keyof typeof UNET_SIZES;

const PERIOD = 1e4;

/** Sides of the levels, from the finest. */
const sidesOf = ({ imageSize, multipliers }: Pick<UNetConfig, "imageSize" | "multipliers">): number[] =>
  multipliers.map((_, i) => imageSize / 2 ** i);

/** Throws a `UserError` when the sizes do not fit together. */
export const checkUNet = (config: UNetConfig): void => {
  const { imageSize, multipliers, width, attention, dropout: rate } = config;
  const coarsest = 2 ** (multipliers.length - 1);
  if (imageSize % coarsest !== 0)
    throw new UserError(
      `model.multipliers has ${multipliers.length} levels; the image size ${imageSize} must be a multiple of ${coarsest}`,
    );
  if (width % 4 !== 0) throw new UserError(`model.width is ${width}; it must be a multiple of 4`);
  const sides = sidesOf(config);
  const foreign = attention.find((side) => !sides.includes(side));
  if (foreign !== undefined)
    throw new UserError(`model.attention has ${foreign}; the sides of the levels are ${sides.join(", ")}`);
  if (!(rate >= 0 && rate < 1)) throw new UserError(`model.dropout is ${rate}; it must be at least 0 and below 1`);
};

/** [sin(t ω), cos(t ω)] with `half` frequencies ω from 1 down to 1/period, both ends included.   t [B 1 1 1] → [B 2·half] */
const timeCodes = (t: Tensor, half: number): Tensor => {
  const frequencies = Float32Array.from({ length: half }, (_, i) => PERIOD ** (-i / (half - 1)));
  const angles = t.reshape([t.dim(0), 1]).mul(constant(frequencies, [1, half]));
  return concat([sin(angles), cos(angles)], { axis: 1 });
};

/** The row of a table for the label; zeros for the null label.   y int64 [B] → [B size]. The official network has no labels. */
const labelCodes = (scope: Scope, y: Tensor, classes: number, size: number): Tensor => {
  const table = scope.parameter("weight", [size, classes], normalInit(1));
  return gather(pad(transpose(table, { order: [1, 0] }), { axis: 0, before: 0, after: 1 }), y);
};

/** What conditions every block: times, label and augmentation, mixed by two layers.   → [B 4·width] */
const condition = (scope: Scope, config: UNetConfig, { t, s, y, augment }: UNetInputs): Tensor => {
  const { width, classes, times = 2, augment: numbers } = config;
  const both = times === 1 ? [t] : [t, t.sub(s)];
  let h = concat(
    both.map((time) => timeCodes(time, width)),
    { axis: 1 },
  );
  const size = h.dim(1);
  if (classes > 0) h = h.add(labelCodes(scope.at("map_label"), y, classes, size));
  if (numbers > 0) {
    const weight = scope.at("map_augment").parameter("weight", [size, numbers], xavierUniform);
    if (augment) h = h.add(matmul(augment, weight, { transposeB: true }));
  }
  h = silu(linear(scope.at("map_layer0"), h, 4 * width));
  return silu(linear(scope.at("map_layer1"), h, 4 * width));
};

/**
 * What the network reads: x [B C H W]; t and s [B 1 1 1] in [0, 1], 1 is noise; y int64 [B], `classes` for the null label.
 * In training also how images were augmented [B A] (absent: not at all), and for every block by name what of its hidden
 * layer is kept, bool of the shape asked for (absent: all of it).
 */
export type UNetInputs = {
  readonly x: Tensor;
  readonly t: Tensor;
  readonly s: Tensor;
  readonly y: Tensor;
  readonly augment?: Tensor;
  readonly keep?: (block: string, shape: Shape) => Tensor;
};

/** Builds a block by name at a level; says where attention belongs. */
type Builder = {
  readonly block: (name: string, x: Tensor, options: Omit<BlockOptions, "channels" | "drop"> & At) => Tensor;
  readonly attends: (level: number) => boolean;
  readonly name: (half: "enc" | "dec", level: number, part: string) => string;
};
type At = { readonly level: number };

const builderOf = (
  { width, multipliers, attention, dropout: rate, ...config }: UNetConfig,
  scope: Scope,
  emb: Tensor,
  { keep, checkpointBlocks = false }: Pick<UNetInputs, "keep"> & BuildOptions,
): Builder => {
  const sides = sidesOf({ multipliers, ...config });
  return {
    block: (name, x, { level, ...options }) => {
      const drop = keep && rate > 0 && ((h: Tensor): Tensor => dropout(h, keep(name, h.shape), rate));
      const all = { channels: width * nth(multipliers, level), ...options, ...(drop && { drop }) };
      const run = (h: Tensor, c: Tensor): Tensor => unetBlock(scope.at(name), h, c, all);
      return checkpointBlocks ? checkpoint(run, x, emb) : run(x, emb);
    },
    attends: (level) => attention.includes(nth(sides, level)),
    name: (half, level, part) => `${half}.${sides[level]}x${sides[level]}_${part}`,
  };
};

/** The way down: what the first convolution and every block give, from the finest to the coarsest. */
const encoder = ({ block, attends, name }: Builder, x: Tensor, levels: number, depth: number): Tensor[] => {
  const all = [x];
  const next = (part: string, options: Parameters<Builder["block"]>[2]): void => {
    all.push(block(name("enc", options.level, part), last(all), options));
  };
  for (let level = 0; level < levels; level++) {
    if (level > 0) next("down", { level, resample: halve });
    for (let i = 0; i < depth; i++) next(`block${i}`, { level, attention: attends(level) });
  }
  return all;
};

/** The way up: every block also reads what the way down left for it. */
const decoder = (
  { block, attends, name }: Builder,
  skips: readonly Tensor[],
  levels: number,
  depth: number,
): Tensor => {
  const coarsest = levels - 1;
  const left = [...skips];
  let h = block(name("dec", coarsest, "in0"), last(left), { level: coarsest, attention: true });
  h = block(name("dec", coarsest, "in1"), h, { level: coarsest });
  for (let level = coarsest; level >= 0; level--) {
    if (level < coarsest) h = block(name("dec", level, "up"), h, { level, resample: double });
    for (let i = 0; i <= depth; i++) {
      const joined = concat([h, last(left)], { axis: 1 });
      left.pop();
      h = block(name("dec", level, `block${i}`), joined, { level, attention: i === depth && attends(level) });
    }
  }
  return h;
};

/** The network F(x, t, s, y) → [B C H W]. */
export const unet =
  (config: UNetConfig, options: BuildOptions = {}) =>
  (scope: Scope, inputs: UNetInputs): Tensor<"B C H W"> => {
    const { width, multipliers, depth, channels } = config;
    const builder = builderOf(config, scope, condition(scope, config, inputs), { ...inputs, ...options });
    const x = conv(scope.at(builder.name("enc", 0, "conv")), inputs.x, width, 3);
    const h = decoder(builder, encoder(builder, x, multipliers.length, depth), multipliers.length, depth);
    const normed = silu(unetNorm(scope.at(builder.name("dec", 0, "aux_norm")), h));
    return conv(scope.at(builder.name("dec", 0, "aux_conv")), normed, channels, 3, { weight: NEARLY_ZERO });
  };
