import type { Tensor } from "../graph/tensor.js";
import { linear, patchEmbedding, positionEmbedding, type Scope, selfAttention } from "../nn/index.js";
import { add, gelu, layerNorm } from "../ops/index.js";

/** A small vision transformer that names the label of an image: the judge of generated samples. */
export type ClassifierConfig = {
  /** Side of the square image in pixels; a multiple of `patch`. */
  readonly imageSize: number;
  readonly channels: number;
  readonly patch: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly classes: number;
};

const EPSILON = 1e-6;

const block = (scope: Scope, x: Tensor<"B L D">, heads: number): Tensor<"B L D"> =>
  scope.build(() => {
    const x1 = add(x, selfAttention(scope.at("attn"), layerNorm(x, { epsilon: EPSILON }).as("B L D"), heads));
    const hidden = gelu(linear(scope.at("fc1"), layerNorm(x1, { epsilon: EPSILON }), 2 * x.dim(2)));
    return add(x1, linear(scope.at("fc2"), hidden, x.dim(2))).as("B L D");
  });

/**
 * x [B C H W] in [−1, 1] → scores [B classes] before the softmax, and the features [B width] they are read from.
 * Dosovitskiy et al. 2020, with mean pooling.
 */
export const classifier =
  ({ imageSize, patch, width, depth, heads, classes }: ClassifierConfig) =>
  (scope: Scope, x: Tensor): { readonly scores: Tensor<"B K">; readonly features: Tensor<"B D"> } => {
    const tokens = patchEmbedding(scope.at("patches"), x, patch, width);
    let h = tokens.add(positionEmbedding(imageSize / patch, width)).as("B L D");
    for (let i = 0; i < depth; i++) h = block(scope.at(`blocks.${i}`), h, heads);
    const features = layerNorm(h, { epsilon: EPSILON })
      .mean([1])
      .reshape([x.dim(0), width])
      .as("B D");
    return { scores: linear(scope.at("head"), features, classes).as("B K"), features };
  };
