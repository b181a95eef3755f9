import type { Tensor } from "../graph/tensor.js";
import { abs, equal, full, maximum, minimum, reshape, sign, stopGradient } from "../ops/index.js";
import { along, type Coefficients, type Network, type Path, partialS, solution, velocity } from "../paths/index.js";
import { type Adaptive, adaptiveWeight, perSample } from "./adaptive.js";
import { type Call, type Staged, samplesFrom, together } from "./batching.js";
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
  /** Which sample of the batch the first one here is; 0 unless said. */
  readonly firstSample?: number;
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
 * v*, the velocity that both losses take for the truth at x_t; no gradient flows through it. `v_y` is v̂(x_t, t, y) with
 * the label that a sample has, read only when m ≠ 1.
 */
const targetVelocity = (
  { guidance, nullLabel }: SoFlowOptions,
  { labels }: Samples,
  { v_t, t, v_null, v_y }: { v_t: Tensor; t: Tensor; v_null?: Tensor; v_y?: Tensor },
): Tensor => {
  if (!guidance || !v_null) return v_t;
  const dropped = reshape(equal(labels, full(nullLabel, labels.type)), { shape: t.shape });
  return guidedVelocity(guidance, { t, v_t, v_null, ...(v_y && guidance.mix !== 1 && { v_y }), dropped });
};

/** Whether, and how, the target needs the network: nothing, v̂(x_t, t, ∅), or v̂(x_t, t, y) too. */
const needs = ({ guidance }: SoFlowOptions) => {
  const guided = guidance !== undefined && guidance.scale !== 1;
  return { guided, own: guided && guidance.mix !== 1 };
};

const velocityStages = function* (options: SoFlowOptions, draws: VelocityDraws): Staged<Loss> {
  const { path, coefficients, weight, nullLabel, firstSample = 0 } = options;
  const { t, labels } = draws;
  const samples = samplesFrom(firstSample, labels);
  const { x_t, v_t } = along(path, t, draws);
  const v_hat = (F_t: Tensor): Tensor => velocity(coefficients, x_t, t, F_t);
  const none = full(nullLabel, labels.type);
  const [F_null] = needs(options).guided ? (yield { frozen: [[x_t, t, t, none, samples]] }).frozen : [];
  const F_t = (yield { trained: [[x_t, t, t, labels, samples]] }).trained[0]!;
  const v_y = stopGradient(v_hat(F_t)); // right where the label was kept; where it was dropped, nothing reads it
  const v_star = targetVelocity(options, draws, { v_t, t, v_y, ...(F_null && { v_null: v_hat(F_null) }) });
  const delta = v_hat(F_t).sub(stopGradient(v_star));
  const mse = perSample(delta.square());
  const w = adaptiveWeight(mse, weight).div(abs(partialS(coefficients.b, t, t)));
  return { loss: w.mul(mse).mean(), report: { mse: mse.mean(), weight: w.mean() } };
};

/**
 * The velocity (flow matching) loss.   L_v = E[w · mean δ²],  δ = v̂(x_t, t) − v*,
 * w = sg[1 / (|∂_s b(t, t)| (mean δ² + ε)^p)]. arXiv:2512.15657.
 */
export const velocityLoss =
  (options: SoFlowOptions) =>
  (draws: VelocityDraws): Loss =>
    together(options.network, [velocityStages(options, draws)])[0]!;

const consistencyStages = function* (options: SoFlowOptions, draws: ConsistencyDraws): Staged<Loss> {
  const { path, coefficients, weight, nullLabel, firstSample = 0 } = options;
  const { labels, original } = draws;
  const samples = samplesFrom(firstSample, labels);
  const { t, s, l } = middleTimes(draws.time1, draws.time2, draws.ratio);
  const { x_t, v_t } = along(path, t, draws);
  const { guided, own } = needs(options);
  const none = full(nullLabel, labels.type);
  const ask: Call[] = [
    ...(guided ? [[x_t, t, t, none, samples] as const] : []),
    ...(own ? [[x_t, t, t, original, samples] as const] : []),
  ];
  const [v_null, v_y] = guided ? (yield { frozen: ask }).frozen.map((F) => velocity(coefficients, x_t, t, F)) : [];
  const v_star = targetVelocity(options, draws, { v_t, t, ...(v_null && { v_null }), ...(v_y && { v_y }) });
  const x_l = x_t.add(v_star.mul(l.sub(t)));
  const { trained, frozen } = yield {
    trained: [[x_t, t, s, labels, samples]],
    frozen: [[x_l, l, s, labels, samples]],
  };
  const [F_t, F_l] = [trained[0]!, frozen[0]!];
  const f_t = solution(coefficients, x_t, t, s, F_t);
  const f_l = solution(coefficients, x_l, l, s, F_l);
  const Delta = stopGradient(f_t.sub(f_l).div(t.sub(l)));
  const mse = perSample(Delta.square());
  const w = adaptiveWeight(mse, weight);
  const inner = perSample(F_t.mul(Delta).mul(w));
  return { loss: sign(coefficients.b(t, s)).mul(inner).mean(), report: { mse: mse.mean(), weight: w.mean() } };
};

/**
 * The solution-consistency loss.   L_c = E[sgn b(t, s) · mean(F(x_t, t, s) · Δ · w)],
 * Δ = sg[(f(x_t, t, s) − f(x_l, l, s)) / (t − l)],  x_l = x_t + v* (l − t),  w = 1 / (mean Δ² + ε)^p. arXiv:2512.15657.
 * It has the gradient of a weighted squared error without being one, so the report is mean Δ².
 */
export const consistencyLoss =
  (options: SoFlowOptions) =>
  (draws: ConsistencyDraws): Loss =>
    together(options.network, [consistencyStages(options, draws)])[0]!;

/**
 * L = (n_v / B) L_v + (n_c / B) L_c: the first n_v samples of a batch take the velocity loss, the others consistency.
 * Both losses' evaluations go through the network together.
 */
export const soflow =
  (options: SoFlowOptions) =>
  ({ velocity, consistency }: { velocity?: VelocityDraws; consistency?: ConsistencyDraws }): Loss => {
    const firstSample = velocity?.x_0.dim(0) ?? 0;
    const parts = [
      ...(velocity ? [{ name: "velocity", n: velocity.x_0.dim(0), stages: velocityStages(options, velocity) }] : []),
      ...(consistency
        ? [
            {
              name: "consistency",
              n: consistency.x_0.dim(0),
              stages: consistencyStages({ ...options, firstSample }, consistency),
            },
          ]
        : []),
    ];
    const losses = together(
      options.network,
      parts.map(({ stages }) => stages),
    );
    const batch = parts.reduce((sum, { n }) => sum + n, 0);
    const loss = losses.map((part, i) => part.loss.mul(parts[i]!.n / batch)).reduce((a, b) => a.add(b));
    const named = losses.flatMap(({ report }, i) =>
      Object.entries(report).map(([key, x]) => [`${parts[i]!.name}_${key}`, x] as const),
    );
    return { loss, report: Object.fromEntries(named) };
  };
