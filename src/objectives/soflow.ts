import type { Tensor } from "../graph/tensor.js";
import { abs, equal, full, maximum, minimum, reshape, sign, stopGradient } from "../ops/index.js";
import { along, type Coefficients, type Network, type Path, partialS, solution, velocity } from "../paths/index.js";
import { type Adaptive, adaptiveWeight, perSample } from "./adaptive.js";
import { type Call, evaluate } from "./batching.js";
import { type Guidance, guidedVelocity } from "./guidance.js";
import type { Loss } from "./objective.js";

/** Times are kept this far from 0 and from one another; the official code's value. */
const GAP = 1e-4;

export type SoFlowOptions = {
  /** F(x, t, s, y). */
  readonly network: Network;
  readonly path: Path;
  readonly coefficients: Coefficients;
  readonly weight: Adaptive;
  /** Absent: the target is the sample's own velocity. */
  readonly guidance?: Guidance;
  /** The label that stands for "no label". */
  readonly nullLabel: number;
};

/**
 * Samples of one loss: x_0 and eps [n C H W]; `labels` int64 [n] as the network is trained on them, dropped ones null;
 * `original` the same before dropout.
 */
type Samples = { readonly x_0: Tensor; readonly eps: Tensor; readonly labels: Tensor; readonly original: Tensor };

/** t [n 1 1 1] in (0, 1). */
export type VelocityDraws = Samples & { readonly t: Tensor };

/** time1 and time2 [n 1 1 1] in (0, 1); ratio: the scalar r(k, K). */
export type ConsistencyDraws = Samples & { readonly time1: Tensor; readonly time2: Tensor; readonly ratio: Tensor };

/** s ≤ l < t:   t = max(time2, 1e-4), s = min(time1, t − 1e-4), l = min(t + (s − t) r, t − 1e-4). */
export const middleTimes = (time1: Tensor, time2: Tensor, ratio: Tensor) => {
  const t = maximum(time2, GAP);
  const s = minimum(time1, t.sub(GAP));
  const l = minimum(t.add(s.sub(t).mul(ratio)), t.sub(GAP));
  return { t, s, l };
};

/**
 * v*, the velocity that both losses take for the truth at x_t; no gradient flows through it. `F_y` is F(x_t, t, t, y)
 * where the caller has it already: for samples that keep their label, the others do not read it.
 */
const targetVelocity = (
  { network, coefficients, guidance, nullLabel }: SoFlowOptions,
  { labels, original }: Samples,
  { x_t, v_t, t, F_y }: { x_t: Tensor; v_t: Tensor; t: Tensor; F_y?: Tensor },
): Tensor => {
  if (!guidance || guidance.scale === 1) return v_t;
  const none = full(nullLabel, labels.type);
  const withLabel: Call[] = guidance.mix === 1 || F_y ? [] : [[x_t, t, t, original]];
  const [F_null, own] = evaluate(network, [[x_t, t, t, none], ...withLabel]);
  const frozen = (F_t: Tensor): Tensor => stopGradient(velocity(coefficients, x_t, t, F_t));
  const F_own = guidance.mix === 1 ? undefined : (F_y ?? own);
  const dropped = reshape(equal(labels, none), { shape: t.shape });
  return guidedVelocity(guidance, { t, v_t, v_null: frozen(F_null!), ...(F_own && { v_y: frozen(F_own) }), dropped });
};

/**
 * The velocity (flow matching) loss.   L_v = E[w · mean δ²],  δ = v̂(x_t, t) − v*,
 * w = sg[1 / (|∂_s b(t, t)| (mean δ² + ε)^p)]. arXiv:2512.15657.
 */
export const velocityLoss =
  (options: SoFlowOptions) =>
  (draws: VelocityDraws): Loss => {
    const { network, path, coefficients, weight } = options;
    const { t, labels } = draws;
    const { x_t, v_t } = along(path, t, draws);
    const F_t = network(x_t, t, t, labels);
    const v_star = targetVelocity(options, draws, { x_t, v_t, t, F_y: F_t });
    const delta = velocity(coefficients, x_t, t, F_t).sub(stopGradient(v_star));
    const mse = perSample(delta.square());
    const w = adaptiveWeight(mse, weight).div(abs(partialS(coefficients.b, t, t)));
    return { loss: w.mul(mse).mean(), report: { mse: mse.mean(), weight: w.mean() } };
  };

/**
 * The solution-consistency loss.   L_c = E[sgn b(t, s) · mean(F(x_t, t, s) · Δ · w)],
 * Δ = sg[(f(x_t, t, s) − f(x_l, l, s)) / (t − l)],  x_l = x_t + v* (l − t),  w = 1 / (mean Δ² + ε)^p. arXiv:2512.15657.
 * It has the gradient of a weighted squared error without being one, so the report is mean Δ².
 */
export const consistencyLoss =
  (options: SoFlowOptions) =>
  (draws: ConsistencyDraws): Loss => {
    const { network, path, coefficients, weight } = options;
    const { labels } = draws;
    const { t, s, l } = middleTimes(draws.time1, draws.time2, draws.ratio);
    const { x_t, v_t } = along(path, t, draws);
    const x_l = x_t.add(targetVelocity(options, draws, { x_t, v_t, t }).mul(l.sub(t)));
    const F_t = network(x_t, t, s, labels);
    const f_t = solution(coefficients, x_t, t, s, F_t);
    const f_l = solution(coefficients, x_l, l, s, network(x_l, l, s, labels));
    const Delta = stopGradient(f_t.sub(f_l).div(t.sub(l)));
    const mse = perSample(Delta.square());
    const w = adaptiveWeight(mse, weight);
    const inner = perSample(F_t.mul(Delta).mul(w));
    return { loss: sign(coefficients.b(t, s)).mul(inner).mean(), report: { mse: mse.mean(), weight: w.mean() } };
  };

/** L = (n_v / B) L_v + (n_c / B) L_c: the first n_v samples of a batch take the velocity loss, the others consistency. */
export const soflow =
  (options: SoFlowOptions) =>
  ({ velocity, consistency }: { velocity?: VelocityDraws; consistency?: ConsistencyDraws }): Loss => {
    const parts = [
      ...(velocity ? [{ name: "velocity", n: velocity.x_0.dim(0), ...velocityLoss(options)(velocity) }] : []),
      ...(consistency
        ? [{ name: "consistency", n: consistency.x_0.dim(0), ...consistencyLoss(options)(consistency) }]
        : []),
    ];
    const batch = parts.reduce((sum, { n }) => sum + n, 0);
    const loss = parts.map((part) => part.loss.mul(part.n / batch)).reduce((a, b) => a.add(b));
    const named = parts.flatMap(({ name, report }) =>
      Object.entries(report).map(([key, x]) => [`${name}_${key}`, x] as const),
    );
    return { loss, report: Object.fromEntries(named) };
  };
