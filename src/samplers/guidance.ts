import type { Tensor } from "../graph/tensor.js";
import { concat, split } from "../ops/index.js";
import type { Conditions, OneTimeNetwork } from "../paths/index.js";

/** Two tensors joined along the batch. */
const both = (a: Tensor, b: Tensor): Tensor => concat([a, b], { axis: 0 });

/**
 * Classifier-free guidance while sampling, r_∅ + w (r_c − r_∅): w = 1 is the conditional output alone, w = 0 the
 * unconditional. Ho and Salimans 2022, arXiv:2207.12598. The network is evaluated once, on the batch joined with itself
 * under the null conditions; at w = 1 on the batch alone.
 */
export const guided =
  (read: OneTimeNetwork, c: Conditions, c_null: Conditions, scale: number) =>
  (x: Tensor, t: Tensor): Tensor => {
    if (scale === 1) return read(x, t, c);
    const joined = Object.fromEntries(Object.entries(c).map(([name, own]) => [name, both(own, c_null[name] ?? own)]));
    const [r_c, r_null] = split(read(both(x, x), both(t, t), joined), 2, 0);
    return r_null.add(r_c.sub(r_null).mul(scale));
  };
