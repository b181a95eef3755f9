import { UserError } from "../errors.js";
import { addTo, get } from "./floats.js";

/** Features [n D], row by row. */
export type Features = { readonly data: Float32Array | Float64Array; readonly dimensions: number };

/** What multiplies features: a loop, or an engine that is faster. */
export type Products = {
  /** Most rows of each set at once. */
  readonly rows: number;
  /** a · bᵀ of a [n D] and b [m D], n, m ≤ rows: [n m], row by row, in float64. */
  readonly multiply: (a: Features, b: Features) => Promise<Float64Array>;
};

/** Squared distances below this share of the squared norms are rounding: their features are equal. */
const ROUNDING = 1e-12;

/** Throws a `UserError` for features that are no whole rows. */
export const countOf = ({ data, dimensions }: Features): number => {
  if (data.length === 0 || data.length % dimensions !== 0)
    throw new UserError(`features: ${data.length} numbers are no whole rows of ${dimensions}`);
  return data.length / dimensions;
};

/** Throws a `UserError` for features of different lengths. */
export const comparable = (a: Features, b: Features): void => {
  if (a.dimensions !== b.dimensions)
    throw new UserError(`features of ${a.dimensions} and of ${b.dimensions} numbers cannot be compared`);
};

/** Rows `start` up to `end`. */
export const rowsOf = ({ data, dimensions }: Features, start: number, end: number): Features => ({
  data: data.subarray(start * dimensions, end * dimensions),
  dimensions,
});

/** Products in a plain loop: slow for thousands of rows of thousands of numbers. */
export const plainProducts: Products = { rows: 1024, multiply: async (a, b) => dots(a, b) };

/** a · bᵀ [n m]. */
export const dots = (a: Features, b: Features): Float64Array => {
  const [n, m, D] = [countOf(a), countOf(b), a.dimensions];
  const found = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let k = 0; k < D; k++) sum += a.data[i * D + k]! * b.data[j * D + k]!;
      found[i * m + j] = sum;
    }
  return found;
};

/** The mean of features [n D]. */
export const meanOf = (features: Features): Float64Array => {
  const [n, D] = [countOf(features), features.dimensions];
  const mean = new Float64Array(D);
  for (let i = 0; i < n; i++) for (let k = 0; k < D; k++) addTo(mean, k, features.data[i * D + k]!);
  return mean.map((sum) => sum / n);
};

const squaredNorms = ({ data, dimensions: D }: Features): Float64Array => {
  const norms = new Float64Array(data.length / D);
  for (let i = 0; i < norms.length; i++) for (let k = 0; k < D; k++) addTo(norms, i, data[i * D + k]! ** 2);
  return norms;
};

/** Squared distances of rows `row`, `row` + 1, … of one set to rows `column`, … of another: values [rows columns]. */
export type Tile = {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
};

/** |x|² + |y|² − 2 x·y, in place of x·y. */
const toDistances = (products: Float64Array, x: Float64Array, y: Float64Array): void => {
  const m = y.length;
  for (let i = 0; i < x.length; i++)
    for (let j = 0; j < m; j++) {
      const norms = get(x, i) + get(y, j);
      const squared = norms - 2 * get(products, i * m + j);
      products[i * m + j] = squared > ROUNDING * norms ? squared : 0;
    }
};

/** Squared distances of every row of a to every row of b, tile by tile; `upper`: none of the tiles below the diagonal. */
export async function* distanceTiles(
  a: Features,
  b: Features,
  products: Products,
  upper = false,
): AsyncGenerator<Tile> {
  comparable(a, b);
  const [n, m] = [countOf(a), countOf(b)];
  const [x, y] = [squaredNorms(a), squaredNorms(b)];
  for (let row = 0; row < n; row += products.rows)
    for (let column = upper ? row : 0; column < m; column += products.rows) {
      const [rowEnd, columnEnd] = [Math.min(n, row + products.rows), Math.min(m, column + products.rows)];
      const values = await products.multiply(rowsOf(a, row, rowEnd), rowsOf(b, column, columnEnd));
      toDistances(values, x.subarray(row, rowEnd), y.subarray(column, columnEnd));
      yield { row, column, rows: rowEnd - row, columns: columnEnd - column, values };
    }
}
