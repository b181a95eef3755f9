import type { Tensor } from "../graph/tensor.js";
import { div, log, sqrt } from "../ops/index.js";
import { LEVELS, type OneTimeNetwork } from "../paths/index.js";
import { perSample } from "./adaptive.js";
import type { Loss } from "./objective.js";
import type { Samples } from "./samples.js";

/**
 * EDM's denoiser D(x, σ) = c_skip x + c_out F(c_in x, ln σ / 4) of x = x_0 + σ ε. Karras et al. 2022, arXiv:2206.00364.
 * c_skip = σ_d² / (σ² + σ_d²),  c_out = σ σ_d / √(σ² + σ_d²),  c_in = 1 / √(σ² + σ_d²).
 */
export const denoiser =
  (network: OneTimeNetwork): OneTimeNetwork =>
  (x, sigma, c) => {
    const total = sigma.square().add(LEVELS.data ** 2);
    const c_skip = div(LEVELS.data ** 2, total);
    const c_out = sigma.mul(LEVELS.data).div(sqrt(total));
    const c_in = div(1, sqrt(total));
    return c_skip.mul(x).add(c_out.mul(network(c_in.mul(x), log(sigma).mul(0.25), c)));
  };

/** sigma [B 1 …] above 0. */
export type EdmDraws = Samples & { readonly sigma: Tensor };

/** EDM.   L = E[λ(σ) mean (D(x_0 + σ ε, σ) − x_0)²],  λ = (σ² + σ_d²) / (σ σ_d)². The report is the mean square without λ. */
export const edm =
  ({ network }: { readonly network: OneTimeNetwork }) =>
  ({ x_0, eps, sigma, c }: EdmDraws): Loss => {
    const D = denoiser(network)(x_0.add(sigma.mul(eps)), sigma, c);
    const mse = perSample(D.sub(x_0).square());
    const lambda = sigma
      .square()
      .add(LEVELS.data ** 2)
      .div(sigma.mul(LEVELS.data).square());
    return { loss: lambda.mul(mse).mean(), report: { mse: mse.mean() } };
  };
