import type { Tensor } from "../graph/tensor.js";
import { conv, convXavier, groupNorm, linear, type Scope } from "../nn/index.js";
import { matmul, silu, slice, softmax } from "../ops/index.js";

/** Group norm as the U-Net has it everywhere: at least 4 channels to a group, at most 32 groups. */
export const unetNorm = (scope: Scope, x: Tensor): Tensor<"B C H W"> =>
  groupNorm(scope, x, Math.min(32, Math.floor(x.dim(1) / 4)), 1e-6);

/** Last layers of a branch begin close to zero, so that every block begins close to its input. */
export const NEARLY_ZERO = convXavier(1e-5);

/** Two branches of equal variance are added and brought back to that variance. */
const join = (a: Tensor, b: Tensor): Tensor => a.add(b).mul(Math.SQRT1_2);

/** Attention of every pixel to every pixel, one head: softmax(qᵀ k / √C) over k, applied to v.   x [B C H W] */
const attend = (scope: Scope, x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.dims("B C H W");
  const pixels = height * width;
  const qkv = conv(scope.at("qkv"), unetNorm(scope.at("norm2"), x), 3 * channels, 1, {
    weight: convXavier(0.2 ** 0.5),
  });
  const parts = qkv.reshape([batch, channels, 3, pixels]); // q, k and v of a channel lie side by side
  const part = (i: number): Tensor =>
    slice(parts, { axis: 2, start: i, end: i + 1 }).reshape([batch, channels, pixels]);
  const [q, k, v] = [part(0), part(1), part(2)];
  const weights = softmax(matmul(q, k, { transposeA: true, alpha: channels ** -0.5 })); // [B P P]
  const mixed = matmul(v, weights, { transposeB: true }).reshape(x.shape);
  return join(conv(scope.at("proj"), mixed, channels, 1, { weight: NEARLY_ZERO }), x);
};

export type BlockOptions = {
  /** Channels of the result. */
  readonly channels: number;
  /** Half or twice the size, in both branches. */
  readonly resample?: (x: Tensor) => Tensor;
  readonly attention?: boolean;
  /** Drops parts of the hidden layer in training. */
  readonly drop?: (x: Tensor) => Tensor;
};

/**
 * A residual block: norm, SiLU, convolution; the condition is added; norm, SiLU, dropout, convolution; and attention.
 * x [B C H W], condition [B E] → [B channels H′ W′]
 */
export const unetBlock = (
  scope: Scope,
  x: Tensor,
  condition: Tensor,
  { channels, resample, attention = false, drop = (h) => h }: BlockOptions,
): Tensor =>
  scope.build(() => {
    const moved = resample ?? ((h: Tensor) => h);
    const h = conv(scope.at("conv0"), moved(silu(unetNorm(scope.at("norm0"), x))), channels, 3);
    const shift = linear(scope.at("affine"), condition, channels).reshape([x.dim(0), channels, 1, 1]);
    const hidden = drop(silu(unetNorm(scope.at("norm1"), h.add(shift))));
    const branch = conv(scope.at("conv1"), hidden, channels, 3, { weight: NEARLY_ZERO });
    const straight = resample || channels !== x.dim(1) ? conv(scope.at("skip"), moved(x), channels, 1) : x;
    const y = join(branch, straight);
    return attention ? attend(scope, y) : y;
  });
