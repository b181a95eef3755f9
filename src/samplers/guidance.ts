import type { Tensor } from "../graph/tensor.js";
import { concat, full, split } from "../ops/index.js";

/** What a network says of x [B C H W] at times t [B 1 1 1] under labels y, int64 [B]: a slope, a noise, a denoised x … */
export type LabelledReading = (x: Tensor, t: Tensor, y: Tensor) => Tensor;

/** Two tensors joined along the batch. */
const both = (a: Tensor, b: Tensor): Tensor => concat([a, b], { axis: 0 });

/**
 * Classifier-free guidance while sampling, r_∅ + w (r_y − r_∅): w = 1 is the conditional reading alone, w = 0 the
 * unconditional. Ho and Salimans 2022, arXiv:2207.12598. The network is evaluated once, on the batch joined with itself
 * under the null label; at w = 1 on the batch alone.
 */
export const guided =
  (read: LabelledReading, y: Tensor, nullLabel: number, scale: number) =>
  (x: Tensor, t: Tensor): Tensor => {
    if (scale === 1) return read(x, t, y);
    const joined = read(both(x, x), both(t, t), both(y, full(nullLabel, y.type)));
    const [r_y, r_null] = split(joined, 2, 0);
    return r_null.add(r_y.sub(r_null).mul(scale));
  };
