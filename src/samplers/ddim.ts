import type { Tensor } from "../graph/tensor.js";
import { sqrt, sub } from "../ops/index.js";

/**
 * One deterministic step of DDIM (η = 0), from noise level ᾱ to ᾱ′. Song et al. 2020, arXiv:2010.02502.
 * x̂_0 = (x − √(1 − ᾱ) ε̂) / √ᾱ,  x ← √ᾱ′ x̂_0 + √(1 − ᾱ′) ε̂; ᾱ′ = 1 gives x̂_0.
 */
export const ddimStep = (x: Tensor, eps: Tensor, alphaBar: Tensor, alphaBarNext: Tensor): Tensor => {
  const x_0 = x.sub(sqrt(sub(1, alphaBar)).mul(eps)).div(sqrt(alphaBar));
  return sqrt(alphaBarNext)
    .mul(x_0)
    .add(sqrt(sub(1, alphaBarNext)).mul(eps));
};
