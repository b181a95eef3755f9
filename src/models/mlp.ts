import { UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { labelEmbedding, linear, normalInit, type Scope, timeEmbedding, zerosInit } from "../nn/index.js";
import { concat, cos, layerNorm, silu, sin, split } from "../ops/index.js";

/** A residual MLP for points in the plane and other small vectors; it takes the place of a DiT. */
export type MlpConfig = {
  readonly kind: "mlp";
  /** Side and channels of the input, which is read as one vector. */
  readonly imageSize: number;
  readonly channels: number;
  /** Width of the hidden vector; blocks are twice as wide inside. */
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Number of labels; 0 for an unconditional network. */
  readonly classes: number;
  /** Times that the network is told: 2 (t and t − s) for solution functions, 1 (t) for velocities and noise. */
  readonly times?: 1 | 2;
  /** Whether labels can be dropped in training: adds the null label, whose number is `classes`. */
  readonly nullLabel: boolean;
};

const EPSILON = 1e-6;
/** Angular frequencies of the waves that every coordinate is lifted to: edges are hard to learn from x alone. */
const FREQUENCIES = [1, 2, 4, 8] as const;

/** Throws a `UserError` when a size makes no network. */
export const checkMlp = ({ width, depth }: MlpConfig): void => {
  if (width < 1) throw new UserError(`model.width is ${width}; it must be at least 1`);
  if (depth < 1) throw new UserError(`model.depth is ${depth}; it must be at least 1`);
};

/** [x, cos ωx, sin ωx] for every frequency ω.   x [B D] → [B 9 D] */
const waves = (x: Tensor): Tensor =>
  concat([x, ...FREQUENCIES.flatMap((omega) => [cos(x.mul(omega)), sin(x.mul(omega))])], { axis: 1 });

/** `count` modulation vectors from the condition (adaLN-Zero: they start at zero).   c [B D] → count × [B D] */
const modulation = <N extends number>(scope: Scope, c: Tensor, count: N) =>
  split(linear(scope.at("adaLN_modulation.1"), silu(c), count * c.dim(1), { weight: zerosInit }), count);

/** LN(h) (1 + scale) + shift.   all [B D] */
const modulate = (h: Tensor, shift: Tensor, scale: Tensor): Tensor =>
  layerNorm(h, { epsilon: EPSILON }).mul(scale.add(1)).add(shift);

const block = (scope: Scope, h: Tensor, c: Tensor): Tensor =>
  scope.build(() => {
    const [shift, scale, gate] = modulation(scope, c, 3);
    const hidden = silu(linear(scope.at("fc1"), modulate(h, shift, scale), 2 * h.dim(1)));
    return h.add(gate.mul(linear(scope.at("fc2"), hidden, h.dim(1))));
  });

const finalLayer = (scope: Scope, h: Tensor, c: Tensor, size: number): Tensor =>
  scope.build(() => {
    const [shift, scale] = modulation(scope, c, 2);
    return linear(scope.at("linear"), modulate(h, shift, scale), size, { weight: zerosInit });
  });

/**
 * The network F(x, t, s, y), conditioned as `dit` is and with the same names where the parts are the same.
 * x [B C H W]; t and s [B 1 1 1]; y int64 [B], `classes` for the null label → [B C H W].
 */
export const mlp =
  (config: MlpConfig) =>
  (scope: Scope, { x, t, s, y }: { x: Tensor; t: Tensor; s: Tensor; y: Tensor }): Tensor<"B C H W"> => {
    const { width, depth, channels, imageSize, classes, nullLabel } = config;
    const size = channels * imageSize * imageSize;
    const atT = timeEmbedding(scope.at("t_embedder"), t, width, normalInit(0.02));
    const times = config.times === 1 ? atT : atT.add(timeEmbedding(scope.at("s_embedder"), t.sub(s), width));
    const c = times.add(labelEmbedding(scope.at("y_embedder"), y, Math.max(1, classes + Number(nullLabel)), width));
    let h = linear(scope.at("x_embedder"), waves(x.reshape([x.dim(0), size])), width);
    for (let i = 0; i < depth; i++) h = block(scope.at(`blocks.${i}`), h, c);
    return finalLayer(scope.at("final_layer"), h, c, size).reshape(x.shape).as("B C H W");
  };
