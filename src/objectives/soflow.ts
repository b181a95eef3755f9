import type { Tensor } from "../graph/tensor.js";
import { abs, maximum, minimum, sign, stopGradient } from "../ops/index.js";
import {
  along,
  type Coefficients,
  type Conditions,
  type Network,
  type Path,
  partialS,
  solution,
  velocity,
} from "../paths/index.js";
import { type Adaptive, adaptiveWeight, perSample } from "./adaptive.js";
import { type Guidance, guidedVelocity } from "./guidance.js";
import { type Loss, mixture } from "./objective.js";
import type { GuidedSamples, Samples } from "./samples.js";

/** Times are kept this far from 0 and from one another; the official code's value. */
const GAP = 1e-4;

export type SoFlowOptions = {
  /** F(x, t, s, c). */
  readonly network: Network;
  readonly path: Path;
  readonly coefficients: Coefficients;
  readonly weight: Adaptive;
  /** Absent: the target is the sample's own velocity, and of the samples only `c` is read. */
  readonly guidance?: Guidance;
};

type Given = Samples & Partial<GuidedSamples>;

/** t [n 1 …] in (0, 1). */
export type VelocityDraws = Given & { readonly t: Tensor };

/** time1 and time2 [n 1 …] in (0, 1); ratio: the scalar r(k, K). */
export type ConsistencyDraws = Given & { readonly time1: Tensor; readonly time2: Tensor; readonly ratio: Tensor };

/** s ≤ l < t:   t = max(time2, 1e-4), s = min(time1, t − 1e-4), l = min(t + (s − t) r, t − 1e-4). */
export const middleTimes = (time1: Tensor, time2: Tensor, ratio: Tensor) => {
  const t = maximum(time2, GAP);
  const s = minimum(time1, t.sub(GAP));
  const l = minimum(t.add(s.sub(t).mul(ratio)), t.sub(GAP));
  return { t, s, l };
};

/** v*, which both losses take for the true velocity at x_t; `own`: the conditions of the network's part in it. */
const targetVelocity = (
  { guidance }: SoFlowOptions,
  { c_null, dropped }: Given,
  own: Conditions,
  v_hat: (c: Conditions) => Tensor,
  { t, v_t }: { t: Tensor; v_t: Tensor },
): Tensor => {
  if (!guidance) return v_t;
  if (!c_null || !dropped) throw new Error("soflow: guidance needs c_null and dropped");
  return guidedVelocity(guidance, v_hat, { t, v_t, c: own, c_null, dropped });
};

/**
 * The velocity (flow matching) loss. arXiv:2512.15657.
 *   L_v = E[w · mean δ²],   δ = v̂(x_t, t, c) − sg v*,   w = sg[1 / (|∂_s b(t, t)| (mean δ² + ε)^p)]
 */
export const velocityLoss =
  (options: SoFlowOptions) =>
  (draws: VelocityDraws): Loss => {
    const { network, path, coefficients, weight } = options;
    const { t, c } = draws;
    const { x_t, v_t } = along(path, t, draws);
    const v_hat = (c: Conditions): Tensor => velocity(coefficients, x_t, t, network(x_t, t, t, c));
    const v_star = targetVelocity(options, draws, c, v_hat, { t, v_t }); // c is right where it counts: not dropped
    const delta = v_hat(c).sub(stopGradient(v_star));
    const mse = perSample(delta.square());
    const w = adaptiveWeight(mse, weight).div(abs(partialS(coefficients.b, t, t)));
    return { loss: w.mul(mse).mean(), report: { mse: mse.mean(), weight: w.mean() } };
  };

/**
 * The solution-consistency loss. arXiv:2512.15657.
 *   L_c = E[sgn b(t, s) · mean(F(x_t, t, s) · Δ · w)],   w = 1 / (mean Δ² + ε)^p,
 *   Δ = sg[(f(x_t, t, s) − f(x_l, l, s)) / (t − l)],   x_l = x_t + v* (l − t)
 * It has the gradient of a weighted squared error without being one, so the report is mean Δ².
 */
export const consistencyLoss =
  (options: SoFlowOptions) =>
  (draws: ConsistencyDraws): Loss => {
    const { network, path, coefficients, weight } = options;
    const { c, c_given = c } = draws;
    const { t, s, l } = middleTimes(draws.time1, draws.time2, draws.ratio);
    const { x_t, v_t } = along(path, t, draws);
    const v_hat = (c: Conditions): Tensor => velocity(coefficients, x_t, t, network(x_t, t, t, c));
    const v_star = targetVelocity(options, draws, c_given, v_hat, { t, v_t });
    const x_l = x_t.add(v_star.mul(l.sub(t)));
    const F_t = network(x_t, t, s, c);
    const f_t = solution(coefficients, x_t, t, s, F_t);
    const f_l = solution(coefficients, x_l, l, s, network(x_l, l, s, c));
    const Delta = stopGradient(f_t.sub(f_l).div(t.sub(l)));
    const mse = perSample(Delta.square());
    const w = adaptiveWeight(mse, weight);
    const inner = perSample(F_t.mul(Delta).mul(w));
    return { loss: sign(coefficients.b(t, s)).mul(inner).mean(), report: { mse: mse.mean(), weight: w.mean() } };
  };

/** L = (n_v / B) L_v + (n_c / B) L_c: the first n_v samples of a batch take the velocity loss, the others consistency. */
export const soflow =
  (options: SoFlowOptions) =>
  ({ velocity, consistency }: { velocity?: VelocityDraws; consistency?: ConsistencyDraws }): Loss =>
    mixture({
      ...(velocity && { velocity: { ...velocityLoss(options)(velocity), count: velocity.x_0.dim(0) } }),
      ...(consistency && { consistency: { ...consistencyLoss(options)(consistency), count: consistency.x_0.dim(0) } }),
    });
