import { checkpoint } from "../autodiff/index.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import {
  fromPatches,
  labelEmbedding,
  linear,
  normalInit,
  patchEmbedding,
  positionEmbedding,
  type Scope,
  selfAttention,
  timeEmbedding,
  zerosInit,
} from "../nn/index.js";
import { gelu, layerNorm, silu, split } from "../ops/index.js";

/** DiT with SoFlow's two time embeddings. Peebles & Xie 2022 (arXiv:2212.09748); arXiv:2512.15657. */
export type DiTConfig = {
  /** Side of the square input, in pixels or latent cells; a multiple of `patch`. */
  readonly imageSize: number;
  /** Channels of the input and of the output. */
  readonly channels: number;
  /** Side of a patch; a token is one patch. */
  readonly patch: number;
  /** Width of a token; a multiple of `heads`, and of 4 for the position codes. */
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  readonly heads: number;
  /** Number of labels; 0 for an unconditional network. */
  readonly classes: number;
  /** Times that the network is told: 2 (t and t − s) for solution functions, 1 (t) for velocities and noise. */
  readonly times?: 1 | 2;
  /** Whether labels can be dropped in training: adds the null label, whose number is `classes`. */
  readonly nullLabel: boolean;
};

/** The published sizes: width, depth, heads, patch. */
export const DIT_SIZES = {
  "DiT-B/4": { width: 768, depth: 12, heads: 12, patch: 4 },
  "DiT-B/2": { width: 768, depth: 12, heads: 12, patch: 2 },
  "DiT-M/2": { width: 1024, depth: 16, heads: 16, patch: 2 },
  "DiT-L/2": { width: 1024, depth: 24, heads: 16, patch: 2 },
  "DiT-XL/2": { width: 1152, depth: 28, heads: 16, patch: 2 },
} as const;
export type DiTName = keyof typeof DIT_SIZES;

const EPSILON = 1e-6;
const MLP_RATIO = 4;

/** Throws a `UserError` when the sizes do not fit together. */
export const checkDiT = ({ imageSize, patch, width, heads, depth }: DiTConfig): void => {
  if (imageSize % patch !== 0)
    throw new UserError(`model.patch is ${patch}; it must divide the image size ${imageSize}`);
  if (width % heads !== 0)
    throw new UserError(`model.width is ${width}; it must be a multiple of model.heads, ${heads}`);
  if (width % 4 !== 0) throw new UserError(`model.width is ${width}; it must be a multiple of 4`);
  if (depth < 1) throw new UserError(`model.depth is ${depth}; it must be at least 1`);
};

/** Rows of the label table. Without labels every sample is row 0, as in the official unconditional models. */
const labelRows = ({ classes, nullLabel }: DiTConfig): number => Math.max(1, classes + Number(nullLabel));

/** x (1 + scale) + shift, for every token alike.   x [B L D], shift and scale [B D] */
const modulate = (x: Tensor, shift: Tensor, scale: Tensor): Tensor =>
  x.mul(perToken(scale).add(1)).add(perToken(shift));

const perToken = (v: Tensor): Tensor => v.reshape([v.dim(0), 1, v.dim(1)]);

/** `count` modulation vectors from the condition (adaLN-Zero: they start at zero).   c [B D] → count × [B D] */
const modulation = <N extends number>(scope: Scope, c: Tensor, count: N) =>
  split(linear(scope.at("adaLN_modulation.1"), silu(c), count * c.dim(1), { weight: zerosInit }), count);

const block = (scope: Scope, x: Tensor<"B L D">, c: Tensor, heads: number): Tensor<"B L D"> =>
  scope.build(() => {
    const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation(scope, c, 6);
    const h1 = modulate(layerNorm(x, { epsilon: EPSILON }), shift1, scale1).as("B L D");
    const x1 = x.add(perToken(gate1).mul(selfAttention(scope.at("attn"), h1, heads)));
    const h2 = modulate(layerNorm(x1, { epsilon: EPSILON }), shift2, scale2);
    return x1.add(perToken(gate2).mul(mlp(scope.at("mlp"), h2))).as("B L D");
  });

const mlp = (scope: Scope, x: Tensor): Tensor =>
  scope.build(() => linear(scope.at("fc2"), gelu(linear(scope.at("fc1"), x, MLP_RATIO * x.dim(-1))), x.dim(-1)));

const finalLayer = (scope: Scope, x: Tensor, c: Tensor, size: number): Tensor =>
  scope.build(() => {
    const [shift, scale] = modulation(scope, c, 2);
    const h = modulate(layerNorm(x, { epsilon: EPSILON }), shift, scale);
    return linear(scope.at("linear"), h, size, { weight: zerosInit });
  });

/** What of a network is no part of the model. */
export type BuildOptions = {
  /** Keep nothing of a block for its gradient: it is computed again. */
  readonly checkpointBlocks?: boolean;
};

/**
 * The network F(x, t, s, y): conditioned on t, on t − s (unless it has one time only) and on the label.
 * x [B C H W]; t and s [B 1 1 1] in [0, 1], 1 is noise; y int64 [B], `classes` for the null label → [B C H W].
 */
export const dit =
  (config: DiTConfig, { checkpointBlocks = false }: BuildOptions = {}) =>
  (scope: Scope, { x, t, s, y }: { x: Tensor; t: Tensor; s: Tensor; y: Tensor }): Tensor<"B C H W"> => {
    const { imageSize, channels, patch, width, depth, heads } = config;
    const tokens = patchEmbedding(scope.at("x_embedder"), x.as("B C H W"), patch, width);
    let h = tokens.add(positionEmbedding(imageSize / patch, width)).as("B L D");
    const atT = timeEmbedding(scope.at("t_embedder"), t, width, normalInit(0.02));
    const times = config.times === 1 ? atT : atT.add(timeEmbedding(scope.at("s_embedder"), t.sub(s), width)); // s: Xavier, as in the official code
    const label = labelEmbedding(scope.at("y_embedder"), y, labelRows(config), width);
    const c = times.add(label);
    for (let i = 0; i < depth; i++) {
      const run = (x: Tensor, condition: Tensor) => block(scope.at(`blocks.${i}`), x.as("B L D"), condition, heads);
      h = (checkpointBlocks ? checkpoint(run, h, c) : run(h, c)).as("B L D");
    }
    return fromPatches(finalLayer(scope.at("final_layer"), h, c, patch * patch * channels), patch, channels);
  };
