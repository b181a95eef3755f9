import { UserError } from "../errors.js";

/** Features [n D], row by row. */
export type Features = { readonly data: Float32Array | Float64Array; readonly dimensions: number };

/** Rows of the first set that are compared with all of the second at a time. */
const ROWS = 64;

const countOf = ({ data, dimensions }: Features): number => {
  if (data.length === 0 || data.length % dimensions !== 0)
    throw new UserError(`features: ${data.length} numbers are no whole rows of ${dimensions}`);
  return data.length / dimensions;
};

const comparable = (a: Features, b: Features): void => {
  if (a.dimensions !== b.dimensions)
    throw new UserError(`features of ${a.dimensions} and of ${b.dimensions} numbers cannot be compared`);
};

/** Squared distance of row i of a and row j of b, in float64: differences first, since products cancel. */
const squaredDistance = (a: Features, i: number, b: Features, j: number): number => {
  const D = a.dimensions;
  const [x, y, u, v] = [a.data, b.data, i * D, j * D];
  let [even, odd] = [0, 0];
  for (let k = 0; k + 1 < D; k += 2) {
    const first = x[u + k]! - y[v + k]!;
    const second = x[u + k + 1]! - y[v + k + 1]!;
    even += first * first;
    odd += second * second;
  }
  const last = D % 2 === 1 ? x[u + D - 1]! - y[v + D - 1]! : 0;
  return even + odd + last * last;
};

/** Squared distances of rows `start` up to `start + rows` of a to every row of b [rows m]. */
export const squaredDistances = (a: Features, b: Features, start: number, rows: number): Float64Array => {
  comparable(a, b);
  const m = countOf(b);
  const found = new Float64Array(rows * m);
  for (let j = 0; j < m; j++) for (let r = 0; r < rows; r++) found[r * m + j] = squaredDistance(a, start + r, b, j);
  return found;
};

/** Calls `visit` with each row of a: its squared distances to every row of b. Memory: ROWS rows. */
const eachRow = (a: Features, b: Features, visit: (row: number, distances: Float64Array) => void): void => {
  const [n, m] = [countOf(a), countOf(b)];
  for (let start = 0; start < n; start += ROWS) {
    const rows = Math.min(ROWS, n - start);
    const all = squaredDistances(a, b, start, rows);
    for (let r = 0; r < rows; r++) visit(start + r, all.subarray(r * m, (r + 1) * m));
  }
};

/** The k + 1 smallest numbers, rising: the last one is the k-th beside the smallest. */
const smallest = (values: Float64Array, k: number): Float64Array => {
  const found = new Float64Array(k + 1).fill(Number.POSITIVE_INFINITY);
  for (const value of values) {
    if (value >= found[k]!) continue;
    let at = k;
    for (; at > 0 && found[at - 1]! > value; at--) found[at] = found[at - 1]!;
    found[at] = value;
  }
  return found;
};

/** Squared distance of every row to its k-th nearest neighbour beside itself. */
const radii = (features: Features, k: number): Float64Array => {
  const found = new Float64Array(countOf(features));
  eachRow(features, features, (row, distances) => {
    found[row] = smallest(distances, k)[k]!;
  });
  return found;
};

/** Shares of samples within the data's manifold (precision) and of data within the samples' (recall). */
export type Manifold = { readonly precision: number; readonly recall: number };

/**
 * Improved precision and recall: a set's manifold is the union of balls around its features, each out to the k-th
 * neighbour. Kynkäänniemi et al. 2019, arXiv:1904.06991; k = 3 and ≤ as in the ADM evaluator.
 */
export const precisionRecall = (real: Features, generated: Features, k = 3): Manifold => {
  comparable(real, generated);
  const [n, m] = [countOf(real), countOf(generated)];
  if (Math.min(n, m) <= k)
    throw new UserError(`precision and recall need more than ${k} images in each set; these have ${n} and ${m}`);
  const [ofReal, ofGenerated] = [radii(real, k), radii(generated, k)];
  let precise = 0;
  const recalled = new Uint8Array(n);
  eachRow(generated, real, (row, distances) => {
    if (distances.some((distance, i) => distance <= ofReal[i]!)) precise++;
    for (let i = 0; i < n; i++) if (distances[i]! <= ofGenerated[row]!) recalled[i] = 1;
  });
  return { precision: precise / m, recall: recalled.reduce((sum, one) => sum + one, 0) / n };
};

/** For every row of a, the row of b that is nearest and its squared distance; the first of equals. */
export const nearest = (a: Features, b: Features): readonly { readonly index: number; readonly squared: number }[] => {
  const found: { index: number; squared: number }[] = [];
  eachRow(a, b, (_, distances) => {
    let index = 0;
    for (let j = 1; j < distances.length; j++) if (distances[j]! < distances[index]!) index = j;
    found.push({ index, squared: distances[index]! });
  });
  return found;
};
