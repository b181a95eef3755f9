import { jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { cast, equal, full, maximum, minimum, mul, onesLike, reshape, stopGradient, sub, where } from "../ops/index.js";
import { along, type Network, type Path } from "../paths/index.js";
import { type Adaptive, adaptiveWeight } from "./adaptive.js";
import { evaluate, samplesFrom } from "./batching.js";
import type { Loss } from "./objective.js";

/** MeanFlow's guidance in training, with effective scale ω / (1 − κ). */
export type MeanFlowGuidance = {
  /** ω: weight of the sample's own velocity. */
  readonly omega: number;
  /** κ in [0, 1): weight of the network's velocity under the label. */
  readonly kappa: number;
  /** Guidance acts for t in [start, end]. */
  readonly interval: readonly [start: number, end: number];
};

export type MeanFlowOptions = {
  /** F(z, t, r, y), read as the average velocity u(z, r, t) from r to t. */
  readonly network: Network;
  readonly path: Path;
  readonly weight: Adaptive;
  /** Absent: no guidance. */
  readonly guidance?: MeanFlowGuidance;
  /** The label that stands for "no label". */
  readonly nullLabel: number;
  /** Which sample of the batch the first one here is; 0 unless said. */
  readonly firstSample?: number;
};

/** r ≤ t [n 1 1 1] in [0, 1]; labels after dropout, `original` before it, int64 [n]. */
export type MeanFlowDraws = {
  readonly x_0: Tensor;
  readonly eps: Tensor;
  readonly labels: Tensor;
  readonly original: Tensor;
  readonly t: Tensor;
  readonly r: Tensor;
};

/** Σ over everything but the batch.   x [B C H W] → [B 1 1 1] */
const sumSquares = (x: Tensor): Tensor => x.square().sum([1, 2, 3]);

/** 1 where start ≤ t ≤ end, else 0. */
const inside = (t: Tensor, [start, end]: readonly [number, number]): Tensor =>
  cast(equal(minimum(maximum(t, start), end), t), { to: t.dtype });

/** v_g = v_∅ + ω (v − v_∅) for κ = 0, else ω v + (1 − ω − κ) v_∅ + κ v_y, with v_• = sg u(z, t, t, •). */
const guidedVelocity = (
  options: MeanFlowOptions,
  { labels, original, t }: Omit<MeanFlowDraws, "r">,
  z_t: Tensor,
  v: Tensor,
): Tensor => {
  const { network, guidance, nullLabel, firstSample = 0 } = options;
  if (!guidance || (guidance.omega === 1 && guidance.kappa === 0)) return v;
  const { omega, kappa, interval } = guidance;
  const none = full(nullLabel, labels.type);
  const samples = samplesFrom(firstSample, labels);
  const calls = [[z_t, t, t, none, samples] as const, ...(kappa > 0 ? [[z_t, t, t, original, samples] as const] : [])];
  const [v_null, v_y] = evaluate(network, calls).map((u) => stopGradient(u));
  const without = v.mul(omega).add(v_null!.mul(1 - omega - kappa));
  const v_g = v_y ? without.add(v_y.mul(kappa)) : without;
  const guided = v.add(inside(t, interval).mul(v_g.sub(v)));
  return where(reshape(equal(labels, none), { shape: t.shape }), v, guided);
};

/** E[ℓ / sg(ℓ + ε)^p] of ℓ = Σ (u − u_target)². The sum runs over pixels, as in the official code. */
const weighted = (weight: Adaptive, u: Tensor, target: Tensor) => {
  const error = sumSquares(u.sub(target));
  const loss = adaptiveWeight(error, weight).mul(error).mean();
  return { loss, report: { sum_squares: error.mean() }, u, target, error };
};
type MeanFlowLoss = Loss & Readonly<Record<"u" | "target" | "error", Tensor>>;

/**
 * MeanFlow. arXiv:2505.13447.   u_target = sg[v_g − (t − r) d/dt u(z_t, r, t)],  the derivative along dz = v_g dt, dr = 0;
 * L = E[ℓ / sg(ℓ + ε)^p],  ℓ = Σ (u − u_target)².
 */
export const meanFlow =
  (options: MeanFlowOptions) =>
  (draws: MeanFlowDraws): MeanFlowLoss & { readonly du_dt: Tensor } => {
    const { network, path, weight, firstSample = 0 } = options;
    const { t, r, labels } = draws;
    const { x_t: z_t, v_t } = along(path, t, draws);
    const v_g = guidedVelocity(options, draws, z_t, v_t);
    const samples = samplesFrom(firstSample, labels);
    const [u, du_dt] = jvp((z, at) => network(z, at, r, labels, samples), [z_t, t], [v_g, onesLike(t)]);
    const interval = minimum(maximum(sub(t, r), 0), 1);
    const target = stopGradient(v_g.sub(mul(interval, du_dt)));
    return { ...weighted(weight, u, target), du_dt };
  };

/** The same for samples with r = t: their target is v_g, whatever the derivative, so none is taken. */
export const meanFlowVelocity =
  (options: MeanFlowOptions) =>
  (draws: Omit<MeanFlowDraws, "r">): MeanFlowLoss => {
    const { t, labels } = draws;
    const { x_t: z_t, v_t } = along(options.path, t, draws);
    const v_g = guidedVelocity(options, draws, z_t, v_t);
    const u = options.network(z_t, t, t, labels, samplesFrom(options.firstSample ?? 0, labels));
    return weighted(options.weight, u, stopGradient(v_g));
  };
