import { UserError } from "../errors.js";
import { key } from "../random/random.js";
import type { Features } from "./manifold.js";

export type KidOptions = {
  /** Subsets that are averaged over; 100 by default. */
  readonly subsets?: number;
  /** Features of each set in a subset, at most all of them; 1000 by default. */
  readonly size?: number;
  readonly seed?: number;
};

/** k(x, y) = (x · y / D + 1)³. */
const kernel = ({ data: x, dimensions: D }: Features, i: number, { data: y }: Features, j: number): number => {
  let sum = 0;
  for (let k = 0; k < D; k++) sum += x[i * D + k]! * y[j * D + k]!;
  return (sum / D + 1) ** 3;
};

/** Mean kernel over pairs; within one set (n, n − 1) a feature is not paired with itself. */
const meanKernel = (a: Features, rowsA: Uint32Array, b: Features, rowsB: Uint32Array): number => {
  const within = a === b;
  let sum = 0;
  for (let i = 0; i < rowsA.length; i++)
    for (let j = within ? i + 1 : 0; j < rowsB.length; j++) sum += kernel(a, rowsA[i]!, b, rowsB[j]!);
  return within ? (2 * sum) / (rowsA.length * (rowsA.length - 1)) : sum / (rowsA.length * rowsB.length);
};

/** Unbiased MMD² of two subsets: mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y). */
const unbiasedMmd = (x: Features, rowsX: Uint32Array, y: Features, rowsY: Uint32Array): number =>
  meanKernel(x, rowsX, x, rowsX) + meanKernel(y, rowsY, y, rowsY) - 2 * meanKernel(x, rowsX, y, rowsY);

/**
 * Kernel distance (KID on Inception's features): the mean of the unbiased MMD² over random subsets, and its standard
 * deviation over them. Bińkowski et al. 2018, arXiv:1801.01401. May be just below 0.
 */
export const kernelDistance = (
  x: Features,
  y: Features,
  { subsets = 100, size = 1000, seed = 0 }: KidOptions = {},
): { readonly mean: number; readonly deviation: number } => {
  if (x.dimensions !== y.dimensions)
    throw new UserError(`features of ${x.dimensions} and of ${y.dimensions} numbers cannot be compared`);
  const [n, m] = [x.data.length / x.dimensions, y.data.length / y.dimensions];
  const each = Math.min(size, n, m);
  if (each < 2) throw new UserError(`the kernel distance needs 2 images in each set; these have ${n} and ${m}`);
  const other = { ...y }; // a set beside itself is still two sets
  const values = Array.from({ length: subsets }, (_, s) => {
    const draw = (name: string, of: number) => key(seed).fold("kid").fold(s).fold(name).permutation(of).slice(0, each);
    return unbiasedMmd(x, draw("x", n), other, draw("y", m));
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / subsets;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(square / subsets) };
};
