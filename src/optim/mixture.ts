import type { Tensor } from "../graph/tensor.js";

/** β a + (1 − β) b: one step of an exponential moving average. */
export const mixture = (beta: number, a: Tensor, b: Tensor): Tensor => a.mul(beta).add(b.mul(1 - beta));
