import { UserError } from "../errors.js";
import { cholesky, type Matrix, product, symmetricEigenvalues, transpose } from "./linear-algebra.js";

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

/** Mean and covariance of features, added up in float64 batch by batch. */
export class Moments implements GaussianMoments {
  count = 0;
  private readonly shift: Float64Array; // the first feature: sums of what is left do not cancel
  private readonly sum: Float64Array;
  private readonly products: Float64Array;

  constructor(readonly dimensions: number) {
    this.shift = new Float64Array(dimensions);
    this.sum = new Float64Array(dimensions);
    this.products = new Float64Array(dimensions * dimensions);
  }

  /** Adds features [n D], row by row. Throws a `UserError` for one that is not finite. */
  add(features: ArrayLike<number>): this {
    const { dimensions: D, sum, products, shift } = this;
    if (features.length % D !== 0)
      throw new UserError(`features: ${features.length} numbers are no whole rows of ${D}`);
    const row = new Float64Array(D);
    for (let at = 0; at < features.length; at += D) {
      if (this.count === 0) for (let i = 0; i < D; i++) shift[i] = finite(features[at + i]!, at / D);
      for (let i = 0; i < D; i++) sum[i]! += row[i] = finite(features[at + i]!, this.count) - shift[i]!;
      for (let i = 0; i < D; i++) for (let j = 0; j <= i; j++) products[i * D + j]! += row[i]! * row[j]!;
      this.count++;
    }
    return this;
  }

  get mean(): Float64Array {
    return this.sum.map((sum, i) => this.shift[i]! + sum / this.count);
  }

  /** With n − 1. Throws a `UserError` for fewer than two features. */
  get covariance(): Matrix {
    const { dimensions: D, sum, products, count: n } = this;
    if (n < 2) throw new UserError(`features: ${n} of them have no covariance; at least 2 are needed`);
    const data = new Float64Array(D * D);
    for (let i = 0; i < D; i++)
      for (let j = 0; j <= i; j++)
        data[i * D + j] = data[j * D + i] = (products[i * D + j]! - (sum[i]! * sum[j]!) / n) / (n - 1);
    return { size: D, data };
  }
}

const finite = (value: number, row: number): number => {
  if (!Number.isFinite(value)) throw new UserError(`features: number ${row} has ${value} in it; they must be finite`);
  return value;
};

const trace = ({ size, data }: Matrix): number => {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += data[i * size + i]!;
  return sum;
};

/** tr √(A B) = Σ √λ, λ the eigenvalues of Lᵀ B L with A = L Lᵀ: those of A B, from a symmetric matrix. */
const traceOfRoot = (a: Matrix, b: Matrix): number => {
  const l = cholesky(a);
  const eigenvalues = symmetricEigenvalues(product(product(transpose(l), b), l));
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
  const shift = p.mean.reduce((sum, value, i) => sum + (value - mean[i]!) ** 2, 0);
  return Math.max(0, shift + trace(c_1) + trace(c_2) - 2 * traceOfRoot(c_1, c_2));
};
