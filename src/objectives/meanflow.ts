import { jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { cast, equal, maximum, minimum, mul, onesLike, stopGradient, sub, where } from "../ops/index.js";
import { along, type Conditions, type Network, type Path } from "../paths/index.js";
import { type Adaptive, adaptiveWeight, sumPerSample } from "./adaptive.js";
import type { Loss } from "./objective.js";
import type { GuidedSamples, Samples } from "./samples.js";

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
  /** F(z, t, r, c), read as the average velocity u(z, r, t) from r to t. */
  readonly network: Network;
  readonly path: Path;
  readonly weight: Adaptive;
  /** Absent: no guidance, and of the samples only `c` is read. */
  readonly guidance?: MeanFlowGuidance;
};

/** r ≤ t [n 1 …] in [0, 1]. */
export type MeanFlowDraws = Samples & Partial<GuidedSamples> & { readonly t: Tensor; readonly r: Tensor };

/** 1 where start ≤ t ≤ end, else 0. */
const inside = (t: Tensor, [start, end]: readonly [number, number]): Tensor =>
  cast(equal(minimum(maximum(t, start), end), t), { to: t.dtype });

/**
 * v_g = ω v + (1 − ω − κ) v_∅ + κ v_c inside the interval, with v_• = sg u(z, t, t, •); a sample whose label was dropped
 * keeps v, and so does one outside.
 */
const guidedVelocity = (
  { network, guidance }: MeanFlowOptions,
  { t, c, c_given = c, c_null, dropped }: Omit<MeanFlowDraws, "r">,
  z_t: Tensor,
  v: Tensor,
): Tensor => {
  if (!guidance || (guidance.omega === 1 && guidance.kappa === 0)) return v;
  if (!c_null || !dropped) throw new Error("meanflow: guidance needs c_null and dropped");
  const { omega, kappa, interval } = guidance;
  const u = (c: Conditions): Tensor => stopGradient(network(z_t, t, t, c));
  const own = v.mul(omega).add(u(c_null).mul(1 - omega - kappa));
  const v_g = kappa > 0 ? own.add(u(c_given).mul(kappa)) : own;
  return where(dropped, v, v.add(inside(t, interval).mul(v_g.sub(v))));
};

/** E[ℓ / sg(ℓ + ε)^p] of ℓ = SUM (u − u_target)². The sum runs over pixels, as in the official code. */
const weighted = (weight: Adaptive, u: Tensor, target: Tensor) => {
  const error = sumPerSample(u.sub(target).square());
  const loss = adaptiveWeight(error, weight).mul(error).mean();
  return { loss, report: { sum_squares: error.mean() }, u, target, error };
};
type MeanFlowLoss = Loss & Readonly<Record<"u" | "target" | "error", Tensor>>;

/**
 * MeanFlow. arXiv:2505.13447.   u_target = sg[v_g − (t − r) d/dt u(z_t, r, t)],  the derivative along dz = v_g dt, dr = 0;
 * L = E[ℓ / sg(ℓ + ε)^p],  ℓ = SUM (u − u_target)².
 */
export const meanFlow =
  (options: MeanFlowOptions) =>
  (draws: MeanFlowDraws): MeanFlowLoss & { readonly du_dt: Tensor } => {
    const { network, path, weight } = options;
    const { t, r, c } = draws;
    const { x_t: z_t, v_t } = along(path, t, draws);
    const v_g = guidedVelocity(options, draws, z_t, v_t);
    const [u, du_dt] = jvp((z, at) => network(z, at, r, c), [z_t, t], [v_g, onesLike(t)]);
    const interval = minimum(maximum(sub(t, r), 0), 1);
    const target = stopGradient(v_g.sub(mul(interval, du_dt)));
    return { ...weighted(weight, u, target), du_dt };
  };

/** The same for samples with r = t: their target is v_g, whatever the derivative, so none is taken. */
export const meanFlowVelocity =
  (options: MeanFlowOptions) =>
  (draws: Omit<MeanFlowDraws, "r">): MeanFlowLoss => {
    const { t, c } = draws;
    const { x_t: z_t, v_t } = along(options.path, t, draws);
    const v_g = guidedVelocity(options, draws, z_t, v_t);
    return weighted(options.weight, options.network(z_t, t, t, c), stopGradient(v_g));
  };
