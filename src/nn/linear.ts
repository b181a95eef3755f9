import type { Tensor } from "../graph/tensor.js";
import { add, matmul, reshape } from "../ops/index.js";
import { type Initializer, xavierUniform, zerosInit } from "./initializers.js";
import type { Scope } from "./scope.js";

export type LinearOptions = { readonly weight?: Initializer };

/** y = x Wᵀ + b over the last axis.   x [… in] → y [… out]; weight [out in], bias [out] as PyTorch stores them */
export const linear = (scope: Scope, x: Tensor, size: number, { weight = xavierUniform }: LinearOptions = {}): Tensor =>
  scope.build(() => {
    const rows = x.rank === 2 ? x : reshape(x, { shape: [x.shape.slice(0, -1).reduce((n, d) => n * d, 1), x.dim(-1)] });
    const w = scope.parameter("weight", [size, x.dim(-1)], weight);
    const b = scope.parameter("bias", [size], zerosInit);
    const y = add(matmul(rows, w, { transposeB: true }), b);
    return x.rank === 2 ? y : reshape(y, { shape: [...x.shape.slice(0, -1), size] });
  });
