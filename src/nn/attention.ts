import type { Tensor } from "../graph/tensor.js";
import { matmul, softmax, split } from "../ops/index.js";
import { linear } from "./linear.js";
import type { Scope } from "./scope.js";

/**
 * Multi-head self-attention: softmax(q kᵀ / √d) v for every head.   x [B L D] → y [B L D]
 * One product makes q, k and v (`qkv`), another mixes the heads (`proj`), as in timm's Attention.
 */
export const selfAttention = (scope: Scope, x: Tensor<"B L D">, heads: number): Tensor<"B L D"> =>
  scope.build(() => {
    const [batch, length, width] = x.dims("B L D");
    const size = width / heads;
    const heads4 = (part: Tensor): Tensor => part.reshape([batch, length, heads, size]).transpose([0, 2, 1, 3]);
    const parts = split(linear(scope.at("qkv"), x, 3 * width), 3);
    const [q, k, v] = [heads4(parts[0]), heads4(parts[1]), heads4(parts[2])]; // each [B H L d]
    const weights = softmax(matmul(q, k, { transposeB: true, alpha: size ** -0.5 }));
    const mixed = matmul(weights, v).transpose([0, 2, 1, 3]).reshape([batch, length, width]);
    return linear(scope.at("proj"), mixed, width).as("B L D");
  });
