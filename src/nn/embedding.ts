import type { Tensor } from "../graph/tensor.js";
import { concat, constant, cos, gather, silu, sin } from "../ops/index.js";
import { type Initializer, normalInit, xavierUniform } from "./initializers.js";
import { linear } from "./linear.js";
import type { Scope } from "./scope.js";

const SINUSOID = 256;
const PERIOD = 1e4;

/** [cos(t ω), sin(t ω)] with 128 frequencies ω from 1 down to 1/period.   t [B 1] → [B 256] */
export const sinusoid = (t: Tensor): Tensor => {
  const half = SINUSOID / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => Math.exp((-Math.log(PERIOD) * i) / half));
  const angles = t.mul(constant(frequencies, [1, half]));
  return concat([cos(angles), sin(angles)], { axis: 1 });
};

/** A time as a vector: sinusoid, linear, SiLU, linear.   t [B 1 1 1], raw in [0, 1] → [B D] */
export const timeEmbedding = (
  scope: Scope,
  t: Tensor,
  width: number,
  weight: Initializer = xavierUniform,
): Tensor<"B D"> =>
  scope.build(() => {
    const hidden = linear(scope.at("mlp.0"), sinusoid(t.reshape([t.dim(0), 1])), width, { weight });
    return linear(scope.at("mlp.2"), silu(hidden), width, { weight }).as("B D");
  });

/** A row of a table for each label.   y int64 [B] → [B D] */
export const labelEmbedding = (scope: Scope, y: Tensor, rows: number, width: number): Tensor<"B D"> =>
  scope.build(() => gather(scope.parameter("embedding_table.weight", [rows, width], normalInit(0.02)), y).as("B D"));
