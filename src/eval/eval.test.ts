import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../random/random.js";
import { diagonalGaussian, energyDistance, frechetDistance, Moments, slicedWasserstein } from "./index.js";
import { cholesky, type Matrix, product, symmetricEigenvalues, transpose } from "./linear-algebra.js";

const normal = (name: string, count: number): Float32Array => key(5).fold(name).normal(count);
const options = { dimensions: 2, projections: 200, seed: 0 };
const moved = (points: Float32Array, by: readonly number[]): Float32Array =>
  points.map((value, i) => value + by[i % by.length]!);
/** A random symmetric positive semi-definite matrix of this rank. */
const psd = (name: string, size: number, rank = size): Matrix => {
  const factor = new Float64Array(size * size);
  const values = normal(name, size * rank);
  for (let i = 0; i < size; i++) for (let j = 0; j < rank; j++) factor[i * size + j] = values[i * rank + j]!;
  return product({ size, data: factor }, transpose({ size, data: factor }));
};

describe("linear algebra", () => {
  test.each([
    [1, 1],
    [2, 2],
    [7, 7],
    [40, 40],
    [40, 11],
  ])("L Lᵀ is the matrix: size %i, rank %i", (size, rank) => {
    const a = psd("cholesky", size, rank);
    const l = cholesky(a);
    const back = product(l, transpose(l));
    const scale = Math.max(...a.data);
    for (const [i, value] of a.data.entries()) expect(Math.abs(value - back.data[i]!) / scale).toBeLessThan(1e-9);
  });

  test("eigenvalues keep trace, square and, for a diagonal matrix, everything", () => {
    for (const size of [1, 2, 3, 17, 64]) {
      const a = psd("eigen", size);
      const values = symmetricEigenvalues(a);
      const sum = (of: ArrayLike<number>) => Array.from(of).reduce((total, value) => total + value, 0);
      const diagonal = Array.from({ length: size }, (_, i) => a.data[i * size + i]!);
      expect(sum(values) / sum(diagonal)).toBeCloseTo(1, 12);
      expect(sum(values.map((v) => v * v)) / sum(a.data.map((v) => v * v))).toBeCloseTo(1, 12);
    }
    const data = new Float64Array(25);
    [3, -1, 0, 7, 3].forEach((value, i) => {
      data[6 * i] = value;
    });
    expect(Array.from(symmetricEigenvalues({ size: 5, data })).sort((a, b) => a - b)).toEqual([-1, 0, 3, 3, 7]);
  });

  test("eigenvalues of the second difference are 2 − 2 cos(kπ/(n + 1))", () => {
    const n = 12;
    const data = Float64Array.from({ length: n * n }, (_, i) => {
      const gap = Math.abs((i % n) - Math.floor(i / n));
      return gap === 0 ? 2 : gap === 1 ? -1 : 0;
    });
    const found = Array.from(symmetricEigenvalues({ size: n, data })).sort((a, b) => a - b);
    for (const [k, value] of found.entries())
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 12);
  });
});

describe("Fréchet distance", () => {
  const D = 6;
  const moments = (features: Float32Array) => new Moments(D).add(features);
  const sample = (name: string, n = 500) => normal(name, n * D);

  test("is 0 to itself, symmetric, and |δ|² for a shift", () => {
    const [a, b] = [sample("a"), sample("b")];
    expect(frechetDistance(moments(a), moments(a))).toBeLessThan(1e-9);
    expect(frechetDistance(moments(a), moments(b))).toBeCloseTo(frechetDistance(moments(b), moments(a)), 9);
    expect(frechetDistance(moments(a), moments(moved(a, [3, 0, 0, 4, 0, 0])))).toBeCloseTo(25, 4);
  });

  test("for scaled axes is Σ (σ − σ′)²", () => {
    const a = sample("a");
    const scaled = a.map((value) => 3 * value);
    const trace = [0, 1, 2, 3, 4, 5].reduce((sum, i) => sum + moments(a).covariance.data[i * 7]!, 0);
    const shift = moments(a).mean.reduce((sum, m) => sum + (2 * m) ** 2, 0);
    expect(frechetDistance(moments(a), moments(scaled))).toBeCloseTo(4 * trace + shift, 4);
  });

  test("takes batches of any size, far from 0 too, and singular covariances", () => {
    const a = sample("a").map((value) => value + 1000);
    const parts = new Moments(D).add(a.subarray(0, 7 * D)).add(a.subarray(7 * D));
    expect(frechetDistance(parts, moments(a))).toBeLessThan(1e-9);
    const flat = sample("b").map((value, i) => (i % D < 4 ? value : 0));
    expect(frechetDistance(moments(flat), moments(flat))).toBeLessThan(1e-9);
    const few = sample("c", 3);
    expect(Number.isFinite(frechetDistance(moments(few), moments(a)))).toBe(true);
  });

  test("does not change when both sets are turned alike, however flat they are", () => {
    const [cos, sin] = [Math.cos(0.7), Math.sin(0.7)];
    const turned = (features: Float32Array) =>
      Float64Array.from(features, (value, i) => {
        const [axis, row] = [i % D, i - (i % D)];
        if (axis > 1) return value;
        return axis === 0 ? cos * value - sin * features[row + 1]! : sin * features[row]! + cos * value;
      });
    for (const [n, rank] of [
      [500, D],
      [500, 1],
      [3, D],
    ] as const) {
      const [a, b] = ["a", "b"].map((name) => sample(name, n).map((value, i) => (i % D < rank ? value : 0)));
      const of = (change: (features: Float32Array) => ArrayLike<number>) =>
        frechetDistance(new Moments(D).add(change(a!)), new Moments(D).add(change(b!)));
      expect(of(turned) / of((same) => same)).toBeCloseTo(1, 6);
    }
  });

  // numpy 2.4.6: i = arange(50)[:, None]; j = arange(4)[None]; x = sin(i + 2 j + i j); y = cos(3 i + j) + 0.1 ((j i) % 2);
  // X, Y = (x - x.mean(0)) / 7, (y - y.mean(0)) / 7; R, S = linalg.qr(X)[1], linalg.qr(Y)[1];
  // sum((x.mean(0) - y.mean(0))²) + sum(X²) + sum(Y²) - 2 sum(linalg.svd(R @ S.T, compute_uv=False))
  // One covariance has rank 3: roots of eigenvalues near 0, as taken here, are good to about 1e-8; singular values are exact.
  test("agrees with numpy", () => {
    const rows = (f: (i: number, j: number) => number) =>
      Float64Array.from({ length: 50 * 4 }, (_, k) => f(Math.floor(k / 4), k % 4));
    const x = new Moments(4).add(rows((i, j) => Math.sin(i + 2 * j + i * j)));
    const y = new Moments(4).add(rows((i, j) => Math.cos(3 * i + j) + 0.1 * ((j * i) % 2)));
    expect(frechetDistance(x, y)).toBeCloseTo(1.1564338626498873, 7);
  });

  test("of two diagonal Gaussians is |μ − μ′|² + Σ (d − d′)²", () => {
    const [p, q] = [diagonalGaussian([1, 2], [3, 0.5]), diagonalGaussian([0, 2], [1, 1])];
    expect(frechetDistance(p, q)).toBeCloseTo(1 + 4 + 0.25, 10);
  });

  test("refuses what has no distance", () => {
    expect(() => new Moments(2).add([1, Number.NaN])).toThrow("features: number 0 has NaN in it; they must be finite");
    expect(() => new Moments(2).add([1, 2, 3])).toThrow("features: 3 numbers are no whole rows of 2");
    expect(() => new Moments(1).add([1]).covariance).toThrow("1 of them have no covariance; at least 2 are needed");
    expect(() => frechetDistance(new Moments(1), new Moments(2))).toThrow("features of 1 and of 2 numbers");
  });
});

describe("distances of point sets", () => {
  const [a, b] = [normal("a", 2000), normal("b", 2000)];

  test("are 0 to itself (or just below), symmetric, above 0 for another distribution", () => {
    expect(slicedWasserstein(a, a, options)).toBe(0);
    expect(slicedWasserstein(a, b, options)).toBeCloseTo(slicedWasserstein(b, a, options), 12);
    expect(energyDistance(a, b, 2)).toBeCloseTo(energyDistance(b, a, 2), 12);
    expect(Math.abs(energyDistance(a, b, 2))).toBeLessThan(0.02);
    const far = moved(b, [1, 0]);
    expect(slicedWasserstein(a, far, options)).toBeGreaterThan(3 * slicedWasserstein(a, b, options));
    expect(energyDistance(a, far, 2)).toBeGreaterThan(0.2);
  });

  test("a shift by δ is |δ|/√D apart, and distances scale with the points", () => {
    const distance = slicedWasserstein(a, moved(a, [0.6, 0.8]), { ...options, projections: 2000 });
    expect(distance).toBeGreaterThan(0.97 / Math.SQRT2);
    expect(distance).toBeLessThan(1.03 / Math.SQRT2);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), (scale) => {
        const [x, y] = [a.slice(0, 60).map((v) => scale * v), b.slice(0, 60).map((v) => scale * v)];
        const one = slicedWasserstein(a.slice(0, 60), b.slice(0, 60), options);
        expect(slicedWasserstein(x, y, options) / (scale * one)).toBeCloseTo(1, 5);
      }),
      { numRuns: 10 },
    );
  });

  test("are what one finds by hand on a line", () => {
    const line = { dimensions: 1, projections: 3, seed: 0 };
    expect(slicedWasserstein([0, 2], [5, 1], line)).toBeCloseTo(Math.sqrt((1 + 9) / 2), 12);
    expect(energyDistance([0, 2], [1, 3], 1)).toBeCloseTo((2 * 6) / 4 - 2 - 2, 12);
  });

  test("two sets of one distribution come closer with their size", () => {
    const near = (n: number) => slicedWasserstein(normal("p", 2 * n), normal("q", 2 * n), options);
    expect(near(10_000)).toBeLessThan(near(100) / 3);
  });

  test("refuse what cannot be compared", () => {
    expect(() => slicedWasserstein([1, 2], [1, 2, 3, 4], options)).toThrow("sets of 1 and 2 cannot be paired");
    expect(() => slicedWasserstein([1, Number.NaN], [1, 2], options)).toThrow("points: number 0 has NaN in it");
    expect(() => energyDistance([], [1, 2], 2)).toThrow("points: 0 numbers are no whole points of 2 coordinates");
    expect(() => energyDistance([1, 2], [1, 2], 2)).toThrow("needs at least 2 points in each set");
  });
});
