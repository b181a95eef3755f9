import { sameShape, type TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";

/** `x` when it already has the type of the result, else null: replacing must not change shapes. */
export const unlessBroadcast = (x: Tensor, type: TensorType): Tensor | null =>
  sameShape(x.shape, type.shape) && x.dtype === type.dtype ? x : null;
