import type { Tensor } from "../graph/tensor.js";
import { where, zerosLike } from "../ops/index.js";

/** x / (1 − rate) where `keep` (bool, the shape of x) holds, else 0. Srivastava et al. 2014; which to keep is an argument. */
export const dropout = (x: Tensor, keep: Tensor, rate: number): Tensor =>
  where(keep, x.mul(1 / (1 - rate)), zerosLike(x));
