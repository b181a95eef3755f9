import { UserError } from "../errors.js";
import { key } from "../random/random.js";
import { addTo, get } from "./floats.js";

/** Number of points in a set [N D]. Throws a `UserError` for an empty or ragged one, and for NaN. */
const countOf = (points: ArrayLike<number>, dimensions: number): number => {
  const count = points.length / dimensions;
  if (!Number.isInteger(count) || count === 0)
    throw new UserError(`points: ${points.length} numbers are no whole points of ${dimensions} coordinates`);
  const wrong = Array.prototype.findIndex.call(points, (value: number) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new UserError(
      `points: number ${Math.floor(wrong / dimensions)} has ${points[wrong]} in it; they must be finite`,
    );
  return count;
};

/** Projections of all points on a direction, in order of size. */
const projected = (points: ArrayLike<number>, direction: ArrayLike<number>, count: number): Float64Array => {
  const values = new Float64Array(count);
  const D = direction.length;
  for (let i = 0; i < count; i++) for (let d = 0; d < D; d++) addTo(values, i, points[i * D + d]! * direction[d]!);
  return values.sort();
};

/** Unit vectors in random directions that depend on the seed alone. */
const directions = (seed: number, count: number, dimensions: number): number[][] =>
  Array.from({ length: count }, (_, i) => {
    const z = Array.from(key(seed).fold("projections").fold(i).normal(dimensions));
    const norm = Math.hypot(...z);
    return z.map((value) => value / norm);
  });

export type SlicedOptions = { readonly dimensions: number; readonly projections: number; readonly seed: number };

/**
 * Sliced 2-Wasserstein distance of two sets of the same size [N D]: √E_θ[W₂²(θᵀa, θᵀb)] over random directions θ, where
 * W₂ in one dimension pairs the sorted projections. Bonneel et al. 2015. A shift by δ gives |δ|/√D. Two sets of one
 * distribution are not at 0: the distance falls with their size.
 */
export const slicedWasserstein = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { dimensions, projections, seed }: SlicedOptions,
): number => {
  const [n, m] = [countOf(a, dimensions), countOf(b, dimensions)];
  if (n !== m) throw new UserError(`points: sets of ${n} and ${m} cannot be paired; they must have the same size`);
  let total = 0;
  for (const direction of directions(seed, projections, dimensions)) {
    const [x, y] = [projected(a, direction, n), projected(b, direction, n)];
    total += x.reduce((sum, value, i) => sum + (value - get(y, i)) ** 2, 0) / n;
  }
  return Math.sqrt(total / projections);
};

/** Σ over pairs of |x_i − y_j|. */
const sumOfDistances = (a: ArrayLike<number>, b: ArrayLike<number>, n: number, m: number, D: number): number => {
  let total = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) {
      let square = 0;
      for (let d = 0; d < D; d++) square += (a[i * D + d]! - b[j * D + d]!) ** 2;
      total += Math.sqrt(square);
    }
  return total;
};

/**
 * Energy distance 2 E|x − y| − E|x − x′| − E|y − y′| of two sets [N D] and [M D]: 0 in expectation for one distribution,
 * so that it can come out a little below 0. Székely & Rizzo 2013. Every pair is visited: N + M should be thousands.
 */
export const energyDistance = (a: ArrayLike<number>, b: ArrayLike<number>, dimensions: number): number => {
  const [n, m] = [countOf(a, dimensions), countOf(b, dimensions)];
  if (Math.min(n, m) < 2) throw new UserError("points: an energy distance needs at least 2 points in each set");
  const across = sumOfDistances(a, b, n, m, dimensions) / (n * m);
  const withinA = sumOfDistances(a, a, n, n, dimensions) / (n * (n - 1));
  const withinB = sumOfDistances(b, b, m, m, dimensions) / (m * (m - 1));
  return 2 * across - withinA - withinB;
};
