import { UserError } from "../errors.js";
import { key } from "../random/random.js";
import { get } from "./floats.js";
import { comparable, countOf, type Features, type Products, plainProducts } from "./pairs.js";

export type KidOptions = {
  /** Subsets that are averaged over; 100 by default. */
  readonly subsets?: number;
  /** Features of each set in a subset, at most all of them; 1000 by default. */
  readonly size?: number;
  readonly seed?: number;
  readonly products?: Products;
};

const picked = ({ data, dimensions: D }: Features, rows: Uint32Array): Features => {
  const found = new Float64Array(rows.length * D);
  for (const [i, row] of rows.entries()) found.set(data.subarray(row * D, (row + 1) * D), i * D);
  return { data: found, dimensions: D };
};

/** Mean of k(x, y) = (x · y / D + 1)³ over pairs; within one set a feature is not paired with itself. */
const meanKernel = async (x: Features, y: Features, products: Products): Promise<number> => {
  const [n, D] = [x.data.length / x.dimensions, x.dimensions];
  const dots = await products.multiply(x, y);
  const within = x === y;
  let sum = 0;
  for (let at = 0; at < dots.length; at++) {
    const base = get(dots, at) / D + 1;
    if (!within || at % (n + 1) !== 0) sum += base * base * base; // `** 3` takes many times as long
  }
  return sum / (within ? n * (n - 1) : n * n);
};

/** Unbiased MMD² of two subsets: mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y). */
const unbiasedMmd = async (x: Features, y: Features, products: Products): Promise<number> =>
  (await meanKernel(x, x, products)) + (await meanKernel(y, y, products)) - 2 * (await meanKernel(x, y, products));

/**
 * Kernel distance (KID on Inception's features): the mean of the unbiased MMD² over random subsets, and its standard
 * deviation over them. Bińkowski et al. 2018, arXiv:1801.01401. May be just below 0.
 */
export const kernelDistance = async (
  x: Features,
  y: Features,
  { subsets = 100, size = 1000, seed = 0, products = plainProducts }: KidOptions = {},
): Promise<{ readonly mean: number; readonly deviation: number }> => {
  comparable(x, y);
  const [n, m] = [countOf(x), countOf(y)];
  const each = Math.min(size, products.rows, n, m);
  if (each < 2) throw new UserError(`the kernel distance needs 2 images in each set; these have ${n} and ${m}`);
  const values: number[] = [];
  for (let s = 0; s < subsets; s++) {
    const draw = (name: string, of: number) => key(seed).fold("kid").fold(s).fold(name).permutation(of).slice(0, each);
    values.push(await unbiasedMmd(picked(x, draw("x", n)), picked(y, draw("y", m)), products));
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / subsets;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(square / subsets) };
};
