import { exhaustive } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { div, log, sqrt, stopGradient, sub } from "../ops/index.js";
import { perSample } from "./adaptive.js";
import type { OneTimeNetwork } from "./flow-matching.js";
import type { Loss } from "./objective.js";

/** σ_min, σ_max, σ_d and ρ of the noise levels; here x_σ = x_0 + σ ε. Karras et al. 2022; Song et al. 2023. */
export const LEVELS = { smallest: 0.002, largest: 80, data: 0.5, rho: 7 } as const;

/** The consistency function f(x, σ) = c_skip x + c_out F(c_in x, 250 ln σ), with f(x, σ_min) = x whatever F says. */
export const consistencyFunction =
  (network: OneTimeNetwork) =>
  (x: Tensor, sigma: Tensor, labels: Tensor): Tensor => {
    const { smallest, data } = LEVELS;
    const gap = sigma.sub(smallest);
    const total = sigma.square().add(data ** 2);
    const c_skip = div(data ** 2, gap.square().add(data ** 2));
    const c_out = gap.mul(data).div(sqrt(total));
    const c_in = div(1, sqrt(total));
    return c_skip.mul(x).add(c_out.mul(network(c_in.mul(x), log(sigma).mul(250), labels)));
  };

export type Metric = "l2" | "l1" | "pseudo_huber";
/** uniform: 1. karras: 1/σ² + 1/σ_d². inverse_gap: 1 / (σ_n − σ_{n+1}), of the improved variant. */
export type LevelWeight = "uniform" | "karras" | "inverse_gap";

/** d(a, b) for each sample [B 1 1 1]; pseudo-Huber: √(Σ (a − b)² + c²) − c with c = 0.00054 √dimension. */
const distance = (metric: Metric, a: Tensor, b: Tensor): Tensor => {
  const squares = a.sub(b).square();
  const dimension = a.shape.slice(1).reduce((n, size) => n * size, 1);
  const c = 0.00054 * Math.sqrt(dimension);
  switch (metric) {
    case "l2":
      return perSample(squares);
    case "l1":
      return perSample(sqrt(squares.add(1e-12))); // |x|, smooth at 0
    case "pseudo_huber":
      return sqrt(squares.sum([1, 2, 3]).add(c * c)).sub(c);
    default:
      return exhaustive(metric);
  }
};

const weightOf = (weight: LevelWeight, sigma: Tensor, next: Tensor): Tensor => {
  switch (weight) {
    case "uniform":
      return div(sigma, sigma);
    case "karras":
      return div(1, sigma.square()).add(1 / LEVELS.data ** 2);
    case "inverse_gap":
      return div(1, sub(sigma, next));
    default:
      return exhaustive(weight);
  }
};

/** x_0 and eps [B C H W]; sigma > next [B 1 1 1], neighbours on the grid of levels; labels int64 [B], after dropout. */
export type ConsistencyTrainingDraws = {
  readonly x_0: Tensor;
  readonly eps: Tensor;
  readonly sigma: Tensor;
  readonly next: Tensor;
  readonly labels: Tensor;
};

/**
 * Consistency training. Song et al. 2023, arXiv:2303.01469; improved: arXiv:2310.14189.
 * L = E[w · d(f(x_σ), sg f⁻(x_σ′))], the same ε at σ > σ′. `teacher` is f⁻; absent, the student itself.
 */
export const consistencyTraining =
  (options: {
    readonly network: OneTimeNetwork;
    readonly teacher?: OneTimeNetwork;
    readonly metric: Metric;
    readonly weight: LevelWeight;
  }) =>
  ({
    x_0,
    eps,
    sigma,
    next,
    labels,
  }: ConsistencyTrainingDraws): Loss & Record<"online" | "target" | "distance", Tensor> => {
    const { network, teacher = network, metric, weight } = options;
    const online = consistencyFunction(network)(x_0.add(sigma.mul(eps)), sigma, labels);
    const target = stopGradient(consistencyFunction(teacher)(x_0.add(next.mul(eps)), next, labels));
    const d = distance(metric, online, target);
    const loss = weightOf(weight, sigma, next).mul(d).mean();
    return { loss, report: { distance: d.mean() }, online, target, distance: d };
  };

export type Curriculum = { readonly s0: number; readonly s1: number; readonly mu0: number; readonly steps: number };

/**
 * The published curriculum at step k of K: N = M + 1 levels and the teacher's decay μ = exp(s₀ ln μ₀ / M), with
 * M = max(1, ⌈√(k/K ((s₁ + 1)² − s₀²) + s₀²) − 1⌉).
 */
export const curriculum = (
  { s0, s1, mu0, steps }: Curriculum,
  k: number,
): { readonly levels: number; readonly decay: number } => {
  const intervals = Math.max(1, Math.ceil(Math.sqrt((k / steps) * ((s1 + 1) ** 2 - s0 ** 2) + s0 ** 2) - 1));
  return { levels: intervals + 1, decay: Math.exp((s0 * Math.log(mu0)) / intervals) };
};

/** The descending Karras grid of N levels: σ_i = (80^{1/ρ} + i/(N−1) (0.002^{1/ρ} − 80^{1/ρ}))^ρ. */
export const sigmaGrid = (levels: number): number[] => {
  const { smallest, largest, rho } = LEVELS;
  const [top, bottom] = [largest ** (1 / rho), smallest ** (1 / rho)];
  return Array.from({ length: levels }, (_, i) => (top + (i / (levels - 1)) * (bottom - top)) ** rho);
};
