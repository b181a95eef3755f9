import { UserError } from "../errors.js";
import { get } from "./floats.js";
import { comparable, countOf, distanceTiles, type Features, type Products, plainProducts, type Tile } from "./pairs.js";

/** Puts a value among the smallest so far, `best`[from … from + k], which rise. */
const keepSmallest = (best: Float64Array, from: number, k: number, value: number): void => {
  if (value >= get(best, from + k)) return;
  let at = from + k;
  for (; at > from && get(best, at - 1) > value; at--) best[at] = get(best, at - 1);
  best[at] = value;
};

/** Squared distance of every row to its k-th nearest neighbour beside itself. */
const radii = async (features: Features, k: number, products: Products): Promise<Float64Array> => {
  const best = new Float64Array(countOf(features) * (k + 1)).fill(Number.POSITIVE_INFINITY);
  for await (const { row, column, rows, columns, values } of distanceTiles(features, features, products, true)) {
    const mirrored = column > row; // the tile below the diagonal, which is left out
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const distance = get(values, i * columns + j);
        keepSmallest(best, (row + i) * (k + 1), k, distance);
        if (mirrored) keepSmallest(best, (column + j) * (k + 1), k, distance);
      }
  }
  return best.filter((_, at) => at % (k + 1) === k);
};

/** Shares of samples within the data's manifold (precision) and of data within the samples' (recall). */
export type Manifold = { readonly precision: number; readonly recall: number };

export type ManifoldOptions = {
  /** The neighbour that balls reach to; 3 by default. */
  readonly k?: number;
  readonly products?: Products;
};

const mean = (ones: Uint8Array): number => ones.reduce((sum, one) => sum + one, 0) / ones.length;

/**
 * Improved precision and recall: a set's manifold is the union of balls around its features, each out to the k-th
 * neighbour. Kynkäänniemi et al. 2019, arXiv:1904.06991; k = 3 and ≤ as in the ADM evaluator.
 */
export const precisionRecall = async (
  real: Features,
  generated: Features,
  { k = 3, products = plainProducts }: ManifoldOptions = {},
): Promise<Manifold> => {
  comparable(real, generated);
  const [n, m] = [countOf(real), countOf(generated)];
  if (Math.min(n, m) <= k)
    throw new UserError(`precision and recall need more than ${k} images in each set; these have ${n} and ${m}`);
  const [ofReal, ofGenerated] = [await radii(real, k, products), await radii(generated, k, products)];
  const [precise, recalled] = [new Uint8Array(m), new Uint8Array(n)];
  const mark = ({ row, column, rows, columns, values }: Tile): void => {
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const distance = get(values, i * columns + j);
        if (distance <= get(ofReal, column + j)) precise[row + i] = 1;
        if (distance <= get(ofGenerated, row + i)) recalled[column + j] = 1;
      }
  };
  for await (const tile of distanceTiles(generated, real, products)) mark(tile);
  return { precision: mean(precise), recall: mean(recalled) };
};
