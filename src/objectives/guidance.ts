import type { Tensor } from "../graph/tensor.js";
import { add, div, exp, maximum, minimum, neg, sub, where } from "../ops/index.js";
import type { Conditions } from "../paths/index.js";
import type { GuidedSamples } from "./samples.js";

/** Classifier-free guidance taken into training (SoFlow). */
export type Guidance = {
  /** ω: 1 is no guidance. */
  readonly scale: number;
  /** m in [0, 1]: fraction of the guided velocity, the rest is the network's own. */
  readonly mix: number;
  /** τ in (0, 1]: guidance fades out between t = τ and t = 1. */
  readonly decayTime: number;
};

/** d(t) = 1 for t ≤ τ, else 1 − exp(−0.025 q / (1 − q)) with q = (1 − t) / (1 − τ): from 1 at τ to 0 at noise. */
export const guidanceDecay = (t: Tensor, decayTime: number): Tensor => {
  if (decayTime >= 1) return add(t.mul(0), 1);
  const q = minimum(maximum(div(sub(1, t), 1 - decayTime), 0), 1 - 1e-6);
  return sub(1, exp(neg(div(q.mul(0.025), sub(1, q)))));
};

/**
 * The velocity that training aims at:   v* = m v_g + (1 − m) v̂_c,   v_g = v_t + d(t) (ω − 1) (v_t − v̂_∅).
 * A sample whose label was dropped keeps v_t. `v_hat` is the network's velocity at x_t under conditions, asked for ∅
 * where ω ≠ 1, and for `c` where also m ≠ 1.
 */
export const guidedVelocity = (
  { scale, mix, decayTime }: Guidance,
  v_hat: (c: Conditions) => Tensor,
  { t, v_t, c, c_null, dropped }: Pick<GuidedSamples, "c" | "c_null" | "dropped"> & { t: Tensor; v_t: Tensor },
): Tensor => {
  if (scale === 1) return v_t;
  const v_g = v_t.add(
    guidanceDecay(t, decayTime)
      .mul(scale - 1)
      .mul(v_t.sub(v_hat(c_null))),
  );
  const v_star = mix === 1 ? v_g : v_g.mul(mix).add(v_hat(c).mul(1 - mix));
  return where(dropped, v_t, v_star);
};
