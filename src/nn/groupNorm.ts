import type { Tensor } from "../graph/tensor.js";
import { layerNorm } from "../ops/index.js";
import { onesInit, zerosInit } from "./initializers.js";
import type { Scope } from "./scope.js";

/**
 * Every group of channels, over all pixels, brought to mean 0 and variance 1; then a scale and a shift per channel.
 * x [B C H W], C a multiple of `groups` → [B C H W]; weight and bias [C]. Wu & He 2018 (arXiv:1803.08494).
 */
export const groupNorm = (scope: Scope, x: Tensor, groups: number, epsilon: number): Tensor<"B C H W"> =>
  scope.build(() => {
    const [batch, channels, height, width] = x.dims("B C H W");
    const rows = x.reshape([batch, groups, (channels / groups) * height * width]);
    const y = layerNorm(rows, { epsilon }).reshape(x.shape);
    const weight = scope.parameter("weight", [channels], onesInit).reshape([1, channels, 1, 1]);
    const bias = scope.parameter("bias", [channels], zerosInit).reshape([1, channels, 1, 1]);
    return y.mul(weight).add(bias).as("B C H W");
  });
