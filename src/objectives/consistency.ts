import { exhaustive } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { div, log, sqrt, stopGradient, sub } from "../ops/index.js";
import { type Conditions, LEVELS, type OneTimeNetwork } from "../paths/index.js";
import { perSample, sumPerSample } from "./adaptive.js";
import type { Loss } from "./objective.js";
import type { Samples } from "./samples.js";

/** The consistency function f(x, σ) = c_skip x + c_out F(c_in x, 250 ln σ), with f(x, σ_min) = x whatever F says. */
export const consistencyFunction =
  (network: OneTimeNetwork): OneTimeNetwork =>
  (x, sigma, c) => {
    const { smallest, data } = LEVELS;
    const gap = sigma.sub(smallest);
    const total = sigma.square().add(data ** 2);
    const c_skip = div(data ** 2, gap.square().add(data ** 2));
    const c_out = gap.mul(data).div(sqrt(total));
    const c_in = div(1, sqrt(total));
    return c_skip.mul(x).add(c_out.mul(network(c_in.mul(x), log(sigma).mul(250), c)));
  };

export type Metric = "l2" | "l1" | "pseudo_huber";
/** uniform: 1. karras: 1/σ² + 1/σ_d². inverse_gap: 1 / (σ_n − σ_{n+1}), of the improved variant. */
export type LevelWeight = "uniform" | "karras" | "inverse_gap";

/** d(a, b) for each sample [B 1 …]; pseudo-Huber: √(Σ (a − b)² + c²) − c with c = 0.00054 √dimension. */
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
      return sqrt(sumPerSample(squares).add(c * c)).sub(c);
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

/** sigma > next [B 1 …], neighbors on the grid of levels. */
export type ConsistencyTrainingDraws = Samples & { readonly sigma: Tensor; readonly next: Tensor };

type Options = { readonly network: OneTimeNetwork; readonly metric: Metric; readonly weight: LevelWeight };
type ConsistencyLoss = Loss & Readonly<Record<"online" | "target" | "distance", Tensor>>;

/** E[w · d(f(x_σ, σ), sg f⁻(x_σ′, σ′))] for two points of one trajectory, however the lower one came about. */
const pairLoss = (
  { network, metric, weight }: Options,
  f_minus: OneTimeNetwork,
  { x_sigma, x_next, sigma, next, c }: Record<"x_sigma" | "x_next" | "sigma" | "next", Tensor> & { c: Conditions },
): ConsistencyLoss => {
  const online = consistencyFunction(network)(x_sigma, sigma, c);
  const target = stopGradient(consistencyFunction(f_minus)(x_next, next, c));
  const d = distance(metric, online, target);
  const loss = weightOf(weight, sigma, next).mul(d).mean();
  return { loss, report: { distance: d.mean() }, online, target, distance: d };
};

/**
 * Consistency training. Song et al. 2023, arXiv:2303.01469; improved: arXiv:2310.14189.
 * L = E[w · d(f(x_σ), sg f⁻(x_σ′))], the same ε at σ > σ′. `teacher` is f⁻; absent, the student itself.
 */
export const consistencyTraining =
  (options: Options & { readonly teacher?: OneTimeNetwork }) =>
  ({ x_0, eps, sigma, next, c }: ConsistencyTrainingDraws): ConsistencyLoss => {
    const [x_sigma, x_next] = [x_0.add(sigma.mul(eps)), x_0.add(next.mul(eps))];
    return pairLoss(options, options.teacher ?? options.network, { x_sigma, x_next, sigma, next, c });
  };

/** One Heun step of dx/dσ = (x − D(x, σ)) / σ from σ to σ′. */
const heunStep = (D: (x: Tensor, sigma: Tensor) => Tensor, x: Tensor, sigma: Tensor, next: Tensor): Tensor => {
  const h = next.sub(sigma);
  const d_1 = x.sub(D(x, sigma)).div(sigma);
  const x_euler = x.add(h.mul(d_1));
  const d_2 = x_euler.sub(D(x_euler, next)).div(next);
  return x.add(h.mul(0.5).mul(d_1.add(d_2)));
};

/**
 * Consistency distillation. Song et al. 2023, arXiv:2303.01469. As in training, but the lower point is where one Heun
 * step of the teacher's ODE takes x_σ. `teacher` is a denoiser D(x, σ, c); `target` is f⁻, by default the student.
 */
export const consistencyDistillation =
  (options: Options & { readonly teacher: OneTimeNetwork; readonly target?: OneTimeNetwork }) =>
  ({ x_0, eps, sigma, next, c }: ConsistencyTrainingDraws): ConsistencyLoss => {
    const x_sigma = x_0.add(sigma.mul(eps));
    const x_next = stopGradient(heunStep((x, at) => options.teacher(x, at, c), x_sigma, sigma, next));
    return pairLoss(options, options.target ?? options.network, { x_sigma, x_next, sigma, next, c });
  };
