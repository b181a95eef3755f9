import { UserError } from "../errors.js";
import { last, nth } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { conv, groupNorm, linear, type Scope } from "../nn/index.js";
import { broadcastTo, exp, matmul, maximum, minimum, silu, softmax, split } from "../ops/index.js";

/**
 * The autoencoder of latent diffusion (Rombach et al. 2022, arXiv:2112.10752): images to a normal distribution over
 * latents, an eighth as wide and high, and back. Parameters are named as in diffusers' AutoencoderKL, to whose
 * `config.json` the fields here belong.
 */
export type AutoencoderConfig = {
  /** Channels of an image (`in_channels`). */
  readonly channels: number;
  /** Channels of a latent (`latent_channels`). */
  readonly latentChannels: number;
  /** Channels of the levels, from the finest (`block_out_channels`); between two levels the size halves. */
  readonly widths: readonly number[];
  /** Residual blocks of a level in the encoder; one more in the decoder (`layers_per_block`). */
  readonly depth: number;
  /** Groups of every group norm (`norm_num_groups`). */
  readonly groups: number;
  /** Latents are multiplied by this before they are learnt (`scaling_factor`). */
  readonly scale: number;
};

/** The public autoencoder sd-vae-ft-mse. */
export const SD_VAE: AutoencoderConfig = {
  channels: 3,
  latentChannels: 4,
  widths: [128, 256, 512, 512],
  depth: 2,
  groups: 32,
  scale: 0.18215,
};

const EPSILON = 1e-6;
/** Bounds of the log-variance. */
const [LEAST, MOST] = [-30, 20] as const;

/** Pixels along a side for each cell of a latent. */
export const downscaling = ({ widths }: AutoencoderConfig): number => 2 ** (widths.length - 1);

/** Throws a `UserError` when images of this side do not fit. */
export const checkImageSize = (config: AutoencoderConfig, size: number): void => {
  const factor = downscaling(config);
  if (size < factor || size % factor !== 0)
    throw new UserError(
      `images of ${size}×${size} do not fit the autoencoder; the side must be a multiple of ${factor}`,
    );
};

const norm = (scope: Scope, x: Tensor, { groups }: AutoencoderConfig): Tensor => groupNorm(scope, x, groups, EPSILON);

/** x plus two convolutions of it, each after norm and SiLU.   x [B C H W] → [B width H W] */
const resnet = (scope: Scope, x: Tensor, width: number, config: AutoencoderConfig): Tensor =>
  scope.build(() => {
    const h1 = conv(scope.at("conv1"), silu(norm(scope.at("norm1"), x, config)), width, 3);
    const h2 = conv(scope.at("conv2"), silu(norm(scope.at("norm2"), h1, config)), width, 3);
    return h2.add(x.dim(1) === width ? x : conv(scope.at("conv_shortcut"), x, width, 1));
  });

/** x plus attention of every cell to every cell, one head: softmax(q kᵀ / √C) v.   x [B C H W] */
const attention = (scope: Scope, x: Tensor, config: AutoencoderConfig): Tensor =>
  scope.build(() => {
    const [batch, width, height, columns] = x.dims("B C H W");
    const normed = norm(scope.at("group_norm"), x, config);
    const cells = normed.reshape([batch, width, height * columns]).transpose([0, 2, 1]); // [B P C]
    const project = (name: string): Tensor => linear(scope.at(name), cells, width);
    const [q, k, v] = [project("to_q"), project("to_k"), project("to_v")];
    const weights = softmax(matmul(q, k, { transposeB: true, alpha: width ** -0.5 }));
    const mixed = linear(scope.at("to_out.0"), matmul(weights, v), width);
    return x.add(mixed.transpose([0, 2, 1]).reshape(x.shape));
  });

const middle = (scope: Scope, x: Tensor, config: AutoencoderConfig): Tensor => {
  const before = resnet(scope.at("resnets.0"), x, x.dim(1), config);
  return resnet(scope.at("resnets.1"), attention(scope.at("attentions.0"), before, config), x.dim(1), config);
};

/** Half the size by a convolution with stride 2; zeros right and below, as the public weights were trained. */
const shrink = (scope: Scope, x: Tensor): Tensor =>
  conv(scope.at("conv"), x, x.dim(1), 3, { stride: [2, 2], padding: [0, 0, 1, 1] });

/** Twice the size: every pixel four times, then a convolution. */
const enlarge = (scope: Scope, x: Tensor): Tensor => {
  const [batch, width, height, columns] = x.dims("B C H W");
  const each = broadcastTo(x.reshape([batch, width, height, 1, columns, 1]), {
    shape: [batch, width, height, 2, columns, 2],
  });
  return conv(scope.at("conv"), each.reshape([batch, width, 2 * height, 2 * columns]), width, 3);
};

const ending = (scope: Scope, x: Tensor, channels: number, config: AutoencoderConfig): Tensor =>
  conv(scope.at("conv_out"), silu(norm(scope.at("conv_norm_out"), x, config)), channels, 3);

/** Mean and deviation of the latents.   x [B C H W] in [−1, 1] → both [B latentChannels H/8 W/8] (with four levels) */
export const encode =
  (config: AutoencoderConfig) =>
  (root: Scope, x: Tensor): { readonly mean: Tensor; readonly deviation: Tensor } => {
    const { widths, depth, latentChannels } = config;
    const scope = root.at("encoder");
    let h: Tensor = conv(scope.at("conv_in"), x, nth(widths, 0), 3);
    for (const [level, width] of widths.entries()) {
      const down = scope.at(`down_blocks.${level}`);
      for (let i = 0; i < depth; i++) h = resnet(down.at(`resnets.${i}`), h, width, config);
      if (level < widths.length - 1) h = shrink(down.at("downsamplers.0"), h);
    }
    h = ending(scope, middle(scope.at("mid_block"), h, config), 2 * latentChannels, config);
    const moments = conv(root.at("quant_conv"), h, 2 * latentChannels, 1);
    const [mean, logVariance] = split(moments, 2, 1);
    // deviation = exp(½ log σ²), the logarithm kept in [−30, 20]
    const deviation = exp(minimum(maximum(logVariance, LEAST), MOST).mul(0.5));
    return { mean, deviation };
  };

/** Images of latents as the encoder gives them (not scaled).   z [B latentChannels h w] → [B C 8h 8w] in about [−1, 1] */
export const decode =
  (config: AutoencoderConfig) =>
  (root: Scope, z: Tensor): Tensor => {
    const { widths, depth, channels, latentChannels } = config;
    const scope = root.at("decoder");
    const start = conv(root.at("post_quant_conv"), z, latentChannels, 1);
    let h: Tensor = conv(scope.at("conv_in"), start, last(widths), 3);
    h = middle(scope.at("mid_block"), h, config);
    for (const [level, width] of [...widths].reverse().entries()) {
      const up = scope.at(`up_blocks.${level}`);
      for (let i = 0; i <= depth; i++) h = resnet(up.at(`resnets.${i}`), h, width, config);
      if (level < widths.length - 1) h = enlarge(up.at("upsamplers.0"), h);
    }
    return ending(scope, h, channels, config);
  };
