/** A square matrix, row by row, in float64. */
export type Matrix = { readonly size: number; readonly data: Float64Array };

/** A pivot of at most this share of the largest diagonal element counts as zero. */
const SINGULAR = 1e-12;

/** L, lower triangular, with L Lᵀ = A for a symmetric positive semi-definite A; a zero pivot gives a zero column. */
export const cholesky = ({ size: n, data: a }: Matrix): Matrix => {
  const l = new Float64Array(n * n);
  const largest = Math.max(...Array.from({ length: n }, (_, i) => a[i * n + i]!));
  for (let j = 0; j < n; j++) {
    let pivot = a[j * n + j]!;
    for (let k = 0; k < j; k++) pivot -= l[j * n + k]! ** 2;
    if (pivot <= SINGULAR * largest) continue;
    const root = Math.sqrt(pivot);
    l[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = sum / root;
    }
  }
  return { size: n, data: l };
};

/** A · B. */
export const product = ({ size: n, data: a }: Matrix, { data: b }: Matrix): Matrix => {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const value = a[i * n + k]!;
      if (value !== 0) for (let j = 0; j < n; j++) c[i * n + j]! += value * b[k * n + j]!;
    }
  return { size: n, data: c };
};

export const transpose = ({ size: n, data }: Matrix): Matrix => ({
  size: n,
  data: data.map((_, i) => data[(i % n) * n + Math.floor(i / n)]!),
});

/**
 * Householder reflections that make a symmetric matrix tridiagonal. Returns diagonal and sub-diagonal (shifted by one:
 * element i couples i − 1 and i). Golub & Van Loan, Matrix Computations, 8.3.1.
 */
const tridiagonal = ({ size: n, data }: Matrix): { diagonal: Float64Array; below: Float64Array } => {
  const a = data.slice();
  const below = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    const v = new Float64Array(n);
    for (let i = k + 1; i < n; i++) v[i] = a[i * n + k]!;
    const norm = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
    below[k + 1] = norm === 0 ? 0 : v[k + 1]! > 0 ? -norm : norm;
    if (norm === 0) continue;
    v[k + 1]! -= below[k + 1]!;
    reflect(a, v, n, k + 1);
  }
  return { diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), below };
};

/** A ← (I − 2 v vᵀ/‖v‖²) A (I − 2 v vᵀ/‖v‖²) on the rows and columns from `first`: A − v wᵀ − w vᵀ. */
const reflect = (a: Float64Array, v: Float64Array, n: number, first: number): void => {
  let square = 0;
  for (let i = first; i < n; i++) square += v[i]! ** 2;
  const p = new Float64Array(n);
  let along = 0;
  for (let i = first; i < n; i++) {
    let sum = 0;
    for (let j = first; j < n; j++) sum += a[i * n + j]! * v[j]!;
    p[i] = (2 * sum) / square;
    along += p[i]! * v[i]!;
  }
  for (let i = first; i < n; i++) p[i]! -= (along / square) * v[i]!;
  for (let i = first; i < n; i++) for (let j = first; j < n; j++) a[i * n + j]! -= v[i]! * p[j]! + p[i]! * v[j]!;
};

const MOST_SWEEPS = 60;

/** Eigenvalues of a symmetric matrix, in no order: tridiagonal form, then QL with implicit shifts. */
export const symmetricEigenvalues = (matrix: Matrix): Float64Array => {
  const { diagonal: d, below } = tridiagonal(matrix);
  const n = matrix.size;
  const e = Float64Array.from({ length: n }, (_, i) => below[i + 1] ?? 0); // e[i] couples i and i + 1
  for (let low = 0; low < n; low++)
    for (let sweep = 0; ; sweep++) {
      let high = low;
      while (high < n - 1 && Math.abs(e[high]!) > Number.EPSILON * (Math.abs(d[high]!) + Math.abs(d[high + 1]!)))
        high++;
      if (high === low) break;
      if (sweep === MOST_SWEEPS) throw new Error("the eigenvalues did not converge");
      qlSweep(d, e, low, high);
    }
  return d;
};

/** One implicit QL step with Wilkinson's shift on rows low … high. Golub & Van Loan 8.3.5; EISPACK's tql1. */
const qlSweep = (d: Float64Array, e: Float64Array, low: number, high: number): void => {
  const half = (d[low + 1]! - d[low]!) / (2 * e[low]!);
  let g = d[high]! - d[low]! + e[low]! / (half + Math.sign(half || 1) * Math.hypot(half, 1));
  let [s, c, p] = [1, 1, 0];
  for (let i = high - 1; i >= low; i--) {
    const [f, b] = [s * e[i]!, c * e[i]!];
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[high] = 0;
      return;
    }
    [s, c] = [f / r, g / r];
    const shifted = d[i + 1]! - p;
    const turn = (d[i]! - shifted) * s + 2 * c * b;
    p = s * turn;
    d[i + 1] = shifted + p;
    g = c * turn - b;
  }
  d[low]! -= p;
  e[low] = g;
  e[high] = 0;
};
