import { UserError } from "../errors.js";
import { get } from "./floats.js";
import { cholesky, congruence, type Matrix, symmetricEigenvalues } from "./linear-algebra.js";
import { comparable, countOf, dots, type Features, meanOf } from "./pairs.js";

/** A Gaussian: what Fréchet distances are between. */
export type GaussianMoments = {
  readonly dimensions: number;
  readonly mean: Float64Array;
  readonly covariance: Matrix;
};

/** The Gaussian with these means and deviations and no correlation. */
export const diagonalGaussian = (mean: readonly number[], deviation: readonly number[]): GaussianMoments => {
  const size = mean.length;
  const data = new Float64Array(size * size);
  deviation.forEach((value, i) => {
    data[i * size + i] = value ** 2;
  });
  return { dimensions: size, mean: Float64Array.from(mean), covariance: { size, data } };
};

const trace = ({ size, data }: Matrix): number => {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += get(data, i * size + i);
  return sum;
};

/** tr √(A B) = Σ √λ, λ the eigenvalues of Lᵀ B L with A = L Lᵀ: those of A B, from a symmetric matrix. */
const traceOfRoot = (a: Matrix, b: Matrix): number => {
  const eigenvalues = symmetricEigenvalues(congruence(cholesky(a), b));
  return eigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
};

/**
 * Fréchet distance of two Gaussians: |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 √(C₁ C₂)). Dowson & Landau 1982; Heusel et al. 2017,
 * arXiv:1706.08500. On features other than Inception's it is no FID. Biased upwards for few samples.
 */
export const frechetDistance = (p: GaussianMoments, q: GaussianMoments): number => {
  if (p.dimensions !== q.dimensions)
    throw new UserError(`features of ${p.dimensions} and of ${q.dimensions} numbers cannot be compared`);
  const [mean, c_1, c_2] = [q.mean, p.covariance, q.covariance];
  const shift = p.mean.reduce((sum, value, i) => sum + (value - get(mean, i)) ** 2, 0);
  return Math.max(0, shift + trace(c_1) + trace(c_2) - 2 * traceOfRoot(c_1, c_2));
};

/** Features less their mean, over √(n − 1): X̂ with X̂ᵀ X̂ the covariance. */
const centred = (features: Features) => {
  const [n, D] = [countOf(features), features.dimensions];
  if (n < 2) throw new UserError(`features: ${n} of them have no covariance; at least 2 are needed`);
  const mean = meanOf(features);
  const data = Float64Array.from(features.data, (value, at) => (value - get(mean, at % D)) / Math.sqrt(n - 1));
  return { n, mean, data, dimensions: D, trace: data.reduce((sum, value) => sum + value * value, 0) };
};

/**
 * The Fréchet distance of two sets of features that are fewer than their dimensions, without a covariance:
 * tr √(X̂ᵀX̂ Ŷᵀ Ŷ) is the sum of the singular values of X̂ Ŷᵀ [n m]. Good to about 1e-7 of the traces.
 */
export const frechetOfFew = (p: Features, q: Features): number => {
  comparable(p, q);
  const [x, y] = countOf(p) <= countOf(q) ? [centred(p), centred(q)] : [centred(q), centred(p)];
  const shift = x.mean.reduce((sum, value, k) => sum + (value - get(y.mean, k)) ** 2, 0);
  const g = { data: dots(x, y), dimensions: y.n };
  const squared = symmetricEigenvalues({ size: x.n, data: dots(g, g) });
  const singular = squared.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  return Math.max(0, shift + x.trace + y.trace - 2 * singular);
};
