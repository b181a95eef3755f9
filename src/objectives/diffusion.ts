import type { Tensor } from "../graph/tensor.js";
import { sqrt, sub } from "../ops/index.js";
import type { OneTimeNetwork } from "../paths/index.js";
import { perSample } from "./adaptive.js";
import type { Loss } from "./objective.js";
import type { Samples } from "./samples.js";

/** ᾱ_i = Π_{j ≤ i} (1 − β_j) for DDPM's linear β from 1e-4 to 0.02. Ho et al. 2020. In float64. */
export const alphaBars = (steps = 1000): Float64Array => {
  let product = 1;
  return Float64Array.from({ length: steps }, (_, i) => {
    product *= 1 - (1e-4 + ((0.02 - 1e-4) * i) / (steps - 1));
    return product;
  });
};

/** step [B 1 …], the whole number i as a float; alphaBar = ᾱ_i [B 1 …]. */
export type DiffusionDraws = Samples & { readonly step: Tensor; readonly alphaBar: Tensor };

/** DDPM, ε-prediction. arXiv:2006.11239.   x_i = √ᾱ_i x_0 + √(1 − ᾱ_i) ε,  L = E mean (ε̂(x_i, i) − ε)² */
export const ddpm =
  ({ network }: { readonly network: OneTimeNetwork }) =>
  ({ x_0, eps, step, alphaBar, c }: DiffusionDraws): Loss & { readonly prediction: Tensor } => {
    const x_i = sqrt(alphaBar)
      .mul(x_0)
      .add(sqrt(sub(1, alphaBar)).mul(eps));
    const prediction = network(x_i, step, c);
    const loss = perSample(prediction.sub(eps).square()).mean();
    return { loss, report: { mse: loss }, prediction };
  };
