import { addTo, get } from "./floats.js";

/** A square matrix, row by row, in float64. */
export type Matrix = { readonly size: number; readonly data: Float64Array };

/** A pivot of at most this share of the largest diagonal element counts as zero. */
const SINGULAR = 1e-12;

/** L, lower triangular, with L Lᵀ = A for a symmetric positive semi-definite A; a zero pivot gives a zero column. */
export const cholesky = ({ size: n, data: a }: Matrix): Matrix => {
  const l = new Float64Array(n * n);
  const largest = Math.max(...Array.from({ length: n }, (_, i) => get(a, i * n + i)));
  for (let j = 0; j < n; j++) {
    let pivot = get(a, j * n + j);
    for (let k = 0; k < j; k++) pivot -= get(l, j * n + k) ** 2;
    if (pivot <= SINGULAR * largest) continue;
    const root = Math.sqrt(pivot);
    l[j * n + j] = root;
    for (let i = j + 1; i < n; i++) l[i * n + j] = (get(a, i * n + j) - dotBefore(l, n, i, j)) / root;
  }
  return { size: n, data: l };
};

/** Σ l[i, k] l[j, k] over k < j, in four sums that need not wait for one another. */
const dotBefore = (l: Float64Array, n: number, i: number, j: number): number => {
  const [x, y] = [i * n, j * n];
  const whole = j - (j % 4);
  let [s_0, s_1, s_2, s_3] = [0, 0, 0, 0];
  for (let k = 0; k < whole; k += 4) {
    s_0 += l[x + k]! * l[y + k]!;
    s_1 += l[x + k + 1]! * l[y + k + 1]!;
    s_2 += l[x + k + 2]! * l[y + k + 2]!;
    s_3 += l[x + k + 3]! * l[y + k + 3]!;
  }
  for (let k = whole; k < j; k++) s_0 += l[x + k]! * l[y + k]!;
  return s_0 + s_1 + (s_2 + s_3);
};

/** Part of the sums that is worked on while it is near the processor: columns of both, and rows of A. */
const NEAR = { columns: 256, rows: 64 } as const;

type Place = { readonly i: number; readonly j: number; readonly from: number; readonly to: number };

/** C += A · Bᵀ on four rows by two, so that a number that is loaded serves many products; columns [from, to) alone. */
const addTile = (c: Float64Array, a: Float64Array, b: Float64Array, n: number, { i, j, from, to }: Place): void => {
  const [a_0, a_1, a_2, a_3] = [i * n, i * n + n, i * n + 2 * n, i * n + 3 * n];
  const [b_0, b_1] = [j * n, j * n + n];
  let [s00, s01, s10, s11, s20, s21, s30, s31] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let k = from; k < to; k++) {
    const y_0 = b[b_0 + k]!; // no destructuring here: it doubles the time
    const y_1 = b[b_1 + k]!;
    s00 += a[a_0 + k]! * y_0;
    s01 += a[a_0 + k]! * y_1;
    s10 += a[a_1 + k]! * y_0;
    s11 += a[a_1 + k]! * y_1;
    s20 += a[a_2 + k]! * y_0;
    s21 += a[a_2 + k]! * y_1;
    s30 += a[a_3 + k]! * y_0;
    s31 += a[a_3 + k]! * y_1;
  }
  addTo(c, a_0 + j, s00);
  addTo(c, a_0 + j + 1, s01);
  addTo(c, a_1 + j, s10);
  addTo(c, a_1 + j + 1, s11);
  addTo(c, a_2 + j, s20);
  addTo(c, a_2 + j + 1, s21);
  addTo(c, a_3 + j, s30);
  addTo(c, a_3 + j + 1, s31);
};

const dot = (a: Float64Array, b: Float64Array, n: number, i: number, j: number): number => {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += get(a, i * n + k) * get(b, j * n + k);
  return sum;
};

/** A · Bᵀ. `firstOf(j)`: columns of B's row j before it are zero, and are left out. */
const productTransposed = (a: Matrix, b: Matrix, firstOf: (j: number) => number = () => 0): Matrix => {
  const n = a.size;
  const data = new Float64Array(n * n);
  const whole = n - (n % 4);
  for (let start = 0; start < n; start += NEAR.columns)
    for (let top = 0; top < whole; top += NEAR.rows)
      for (let j = 0; j < whole; j += 2) {
        const [from, to] = [Math.max(start, firstOf(j)), Math.min(n, start + NEAR.columns)];
        const bottom = from < to ? Math.min(whole, top + NEAR.rows) : top;
        for (let i = top; i < bottom; i += 4) addTile(data, a.data, b.data, n, { i, j, from, to });
      }
  for (let i = 0; i < n; i++)
    for (let j = i < whole ? whole : 0; j < n; j++) data[i * n + j] = dot(a.data, b.data, n, i, j);
  return { size: n, data };
};

/** A · B. */
export const product = (a: Matrix, b: Matrix): Matrix => productTransposed(a, transpose(b));

/** Lᵀ B L for lower triangular L and symmetric B. */
export const congruence = (l: Matrix, b: Matrix): Matrix => {
  const upper = transpose(l); // row j is zero before column j
  const first = (j: number): number => j;
  return productTransposed(transpose(productTransposed(b, upper, first)), upper, first);
};

export const transpose = ({ size: n, data }: Matrix): Matrix => {
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned[j * n + i] = get(data, i * n + j);
  return { size: n, data: turned };
};

/**
 * Householder reflections that make a symmetric matrix tridiagonal, from its last row up. Returns diagonal and
 * sub-diagonal (element i couples i − 1 and i). Golub & Van Loan, Matrix Computations, 8.3.1. Each reflection's update
 * of the matrix waits for the next one's product with it: one pass over the lower triangle serves both.
 */
const tridiagonal = ({ size: n, data }: Matrix): { diagonal: Float64Array; below: Float64Array } => {
  const a = data.slice();
  const [diagonal, below] = [new Float64Array(n), new Float64Array(n)];
  let [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let i = n - 1; i >= 0; i--) {
    for (let j = 0; j <= i; j++) addTo(a, i * n + j, -(get(v, i) * get(w, j) + get(w, i) * get(v, j)));
    diagonal[i] = get(a, i * n + i);
    if (i === 0) break;
    const u = a.slice(i * n, i * n + i);
    const norm = Math.sqrt(u.reduce((sum, value) => sum + value * value, 0));
    below[i] = get(u, i - 1) > 0 ? -norm : norm;
    addTo(u, i - 1, -get(below, i));
    const square = u.reduce((sum, value) => sum + value * value, 0);
    const p = updateAndMultiply(a, n, i, v, w, u);
    [v, w] = [u, square === 0 ? p.fill(0) : reflection(u, p, square)];
  }
  return { diagonal, below };
};

/** w with H A H = A − u wᵀ − w uᵀ for H = I − 2 u uᵀ/‖u‖² and p = A u. */
const reflection = (u: Float64Array, p: Float64Array, square: number): Float64Array<ArrayBuffer> => {
  const along = (2 * p.reduce((sum, value, i) => sum + value * get(u, i), 0)) / square;
  return Float64Array.from(p, (value, i) => (2 * value - along * get(u, i)) / square);
};

/** A ← A − v wᵀ − w vᵀ on the lower triangle of the first m rows; returns A u. */
const updateAndMultiply = (
  a: Float64Array,
  n: number,
  m: number,
  v: Float64Array,
  w: Float64Array,
  u: Float64Array,
): Float64Array<ArrayBuffer> => {
  const p = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    const [row, v_i, w_i, u_i] = [i * n, v[i]!, w[i]!, u[i]!];
    let sum = 0;
    for (let j = 0; j < i; j++) {
      const value = a[row + j]! - v_i * w[j]! - w_i * v[j]!;
      a[row + j] = value;
      sum += value * u[j]!;
      p[j]! += value * u_i;
    }
    addTo(a, row + i, -(2 * v_i * w_i));
    addTo(p, i, sum + a[row + i]! * u_i);
  }
  return p;
};

const MOST_SWEEPS = 60;

/** Eigenvalues of a symmetric matrix, in no order: tridiagonal form, then QL with implicit shifts. */
export const symmetricEigenvalues = (matrix: Matrix): Float64Array => {
  const { diagonal: d, below } = tridiagonal(matrix);
  const n = matrix.size;
  const e = Float64Array.from({ length: n }, (_, i) => below[i + 1] ?? 0); // e[i] couples i and i + 1
  // Rounding has left noise of that much: what is below it counts as zero, or singular matrices would not end.
  const noise = Number.EPSILON * d.reduce((most, value, i) => Math.max(most, Math.abs(value) + Math.abs(get(e, i))), 0);
  for (let low = 0; low < n; low++)
    for (let sweep = 0; ; sweep++) {
      let high = low;
      while (high < n - 1 && Math.abs(get(e, high)) > noise) high++;
      if (high === low) break;
      if (sweep === MOST_SWEEPS) throw new Error("the eigenvalues did not converge");
      qlSweep(d, e, low, high);
    }
  return d;
};

/** One implicit QL step with Wilkinson's shift on rows low … high. Golub & Van Loan 8.3.5; EISPACK's tql1. */
const qlSweep = (d: Float64Array, e: Float64Array, low: number, high: number): void => {
  const half = (get(d, low + 1) - get(d, low)) / (2 * get(e, low));
  let g = get(d, high) - get(d, low) + get(e, low) / (half + Math.sign(half || 1) * Math.hypot(half, 1));
  let [s, c, p] = [1, 1, 0];
  for (let i = high - 1; i >= low; i--) {
    const [f, b] = [s * get(e, i), c * get(e, i)];
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      addTo(d, i + 1, -p);
      e[high] = 0;
      return;
    }
    [s, c] = [f / r, g / r];
    const shifted = get(d, i + 1) - p;
    const turn = (get(d, i) - shifted) * s + 2 * c * b;
    p = s * turn;
    d[i + 1] = shifted + p;
    g = c * turn - b;
  }
  addTo(d, low, -p);
  e[low] = g;
  e[high] = 0;
};
