import type { Tensor } from "../graph/tensor.js";
import { equal, onesLike, sqrt, where } from "../ops/index.js";
import { derivative, type Path } from "./path.js";
import { LEVELS } from "./sigmas.js";

/** Data N(mean, deviation²), each coordinate by itself; both broadcast to x. */
export type GaussianData = { readonly mean: Tensor; readonly deviation: Tensor };

/** What is exactly known of x = α x_0 + β ε for Gaussian data, at given α and β [B 1 1 1]. */
export const gaussianPosterior = ({ mean, deviation }: GaussianData, alpha: Tensor, beta: Tensor) => {
  // x ~ N(α μ, α² d² + β²)
  const variance = alpha.mul(deviation).square().add(beta.square());
  const centred = (x: Tensor): Tensor => x.sub(alpha.mul(mean)).div(variance);
  return {
    variance,
    /** E[ε | x] = β (x − α μ) / var */
    noise: (x: Tensor): Tensor => beta.mul(centred(x)),
    /** E[x_0 | x] = μ + α d² (x − α μ) / var */
    data: (x: Tensor): Tensor => mean.add(alpha.mul(deviation.square()).mul(centred(x))),
  };
};

/** Noise levels as a path, x = x_0 + σ ε: α = 1, β = σ, with σ in the place of time. */
const NOISE_LEVELS: Path = { alpha: (sigma) => onesLike(sigma), beta: (sigma) => sigma };

/** The exact flow of Gaussian data along a path, in closed form: x [B C H W], times [B 1 1 1]. */
export const gaussianFlow = (data: GaussianData, { alpha, beta }: Path) => {
  const at = (t: Tensor) => gaussianPosterior(data, alpha(t), beta(t));
  /** v(x, t) = E[v_t | x_t = x] = α′ E[x_0 | x] + β′ E[ε | x] */
  const velocity = (x: Tensor, t: Tensor): Tensor =>
    derivative(alpha, t)
      .mul(at(t).data(x))
      .add(derivative(beta, t).mul(at(t).noise(x)));
  /** f(x_t, t, s) = α_s μ + √(var_s / var_t) (x_t − α_t μ): each coordinate keeps its place in the distribution. */
  const solution = (x: Tensor, t: Tensor, s: Tensor): Tensor =>
    alpha(s)
      .mul(data.mean)
      .add(sqrt(at(s).variance.div(at(t).variance)).mul(x.sub(alpha(t).mul(data.mean))));
  /**
   * u(x, t, r) = (x − f(x, t, r)) / (t − r), the mean velocity from r to t. At r = t its value is the limit v(x, t), its
   * derivatives are not; close to it, digits cancel.
   */
  const averageVelocity = (x: Tensor, t: Tensor, r: Tensor): Tensor => {
    const still = equal(t, r);
    const gap = where(still, onesLike(t), t.sub(r)); // not 0 in the branch not taken: gradients would be NaN
    return where(still, velocity(x, t), x.sub(solution(x, t, r)).div(gap));
  };
  return { velocity, solution, averageVelocity };
};

/** What is exact for Gaussian data in noise levels, x = x_0 + σ ε. Karras et al. 2022, arXiv:2206.00364. */
export const gaussianLevels = (data: GaussianData) => ({
  /** D(x, σ) = E[x_0 | x] */
  denoiser: (x: Tensor, sigma: Tensor): Tensor => gaussianPosterior(data, onesLike(sigma), sigma).data(x),
  /** The consistency function: where the flow from level σ is at level `to`; 0 is the data. arXiv:2303.01469. */
  consistency: (x: Tensor, sigma: Tensor, to: number = LEVELS.smallest): Tensor =>
    gaussianFlow(data, NOISE_LEVELS).solution(x, sigma, onesLike(sigma).mul(to)),
});
