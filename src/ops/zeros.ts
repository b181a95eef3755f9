import type { Shape, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { scalar } from "./constant.js";
import { broadcastTo } from "./sum.js";

/** A tensor of `type` whose elements all equal `value`; the program stores one number. */
export const full = (value: number, { dtype, shape }: TensorType): Tensor =>
  shape.length === 0 ? scalar(value, dtype) : broadcastTo(scalar(value, dtype), { shape });

export const zeros = (shape: Shape, dtype: TensorType["dtype"] = "float32"): Tensor => full(0, { dtype, shape });
export const zerosLike = (x: Tensor): Tensor => full(0, x.type);
export const onesLike = (x: Tensor): Tensor => full(1, x.type);
