import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../random/random.js";
import {
  addFeatures,
  BlockMoments,
  frechetDistance,
  frechetOfFew,
  inceptionScore,
  kernelDistance,
  Moments,
  momentsOf,
  nearest,
  plainProducts,
  precisionRecall,
  shareInterval,
} from "./index.js";
import { symmetricEigenvalues } from "./linear-algebra.js";

const expected = JSON.parse(
  readFileSync(new URL("../../tests/data/metrics/expected.json", import.meta.url), "utf8"),
) as Record<"frechet" | "precision" | "recall" | "kernel" | "variance", number> & { score: [number, number] };

/** As scripts/fixtures/metrics.py has it, from which the expected values are. */
const ruled = (n: number, d: number, s: number, scale = 1, shift = 0): Float64Array =>
  Float64Array.from({ length: n * d }, (_, at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    return scale * (((i * i * 31 + j * j * 17 + i * j * (7 + s) + (i + j) ** 3 + s * 13) % 1009) / 1009 - 0.5) + shift;
  });
const columns = (data: Float64Array, of: number, kept: number): Float64Array => data.filter((_, at) => at % of < kept);
const normal = (name: string, n: number, dimensions: number, shift = 0) => ({
  data: key(3)
    .fold(name)
    .normal(n * dimensions)
    .map((value) => value + shift),
  dimensions,
});

describe("numpy and scipy agree", () => {
  const [x, y] = [ruled(400, 64, 1), ruled(300, 64, 2, 0.9, 0.05)];

  test("on the Fréchet distance, to 1e-6", () => {
    const found = frechetDistance(new Moments(64).add(x), new Moments(64).add(y));
    expect(Math.abs(found / expected.frechet - 1)).toBeLessThan(1e-6);
  });

  test("on a covariance of fewer samples than dimensions, to 1e-12", () => {
    const found = new Moments(64).add(ruled(20, 64, 3)).covariance.data[5 * 64 + 5]!;
    expect(Math.abs(found / expected.variance - 1)).toBeLessThan(1e-12);
  });

  test("on precision and recall", async () => {
    const [real, made] = [columns(x, 64, 4), columns(y, 64, 4)].map((data) => ({ data, dimensions: 4 }));
    const { precision, recall } = await precisionRecall(real!, made!);
    expect(precision).toBeCloseTo(expected.precision, 10);
    expect(recall).toBeCloseTo(expected.recall, 10);
  });

  test("on the kernel distance, to 1e-8", async () => {
    const sets = [x.subarray(0, 300 * 64), y].map((data) => ({ data, dimensions: 64 }));
    const { mean, deviation } = await kernelDistance(sets[0]!, sets[1]!, { subsets: 2, size: 300 });
    expect(Math.abs(mean / expected.kernel - 1)).toBeLessThan(1e-8);
    expect(deviation).toBeLessThan(1e-12);
  });

  test("on the Inception Score, over splits of which the last is smaller", () => {
    const weights = columns(x, 64, 10).map((value) => Math.exp(8 * value));
    const sums = Array.from({ length: 400 }, (_, i) => weights.subarray(i * 10, i * 10 + 10).reduce((a, b) => a + b));
    const { mean, deviation } = inceptionScore(
      weights.map((value, at) => value / sums[Math.floor(at / 10)]!),
      10,
      150,
    );
    expect(mean).toBeCloseTo(expected.score[0], 9);
    expect(deviation).toBeCloseTo(expected.score[1], 9);
  });
});

describe("moments in parts", () => {
  const BLOCK = 16;
  const part = async (features: Float32Array, D: number, from: number, to: number): Promise<BlockMoments> => {
    const own = { data: features.subarray(from * BLOCK * D, to * BLOCK * D), dimensions: D };
    const all = new BlockMoments(D);
    if (own.data.length === 0) return all;
    return addFeatures(all, own, { first: from, width: BLOCK, products: plainProducts });
  };

  test("merge to the bits of one run, wherever blocks part, and kept parts too", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 200 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 13 }), { maxLength: 4 }),
        async (n, D, cuts) => {
          const features = normal("parts", n, D, 100).data;
          const whole = await part(features, D, 0, 13);
          const bounds = [0, ...cuts.sort((a, b) => a - b), 13];
          const merged = new BlockMoments(D);
          for (const [i, end] of bounds.slice(1).entries())
            merged.merge(new BlockMoments(D, (await part(features, D, bounds[i]!, end)).parts));
          expect(merged.count).toBe(n);
          expect(merged.mean).toEqual(whole.mean);
          expect(merged.covariance).toEqual(whole.covariance);
          const plain = new Moments(D).add(features);
          for (const [k, value] of whole.covariance.data.entries())
            expect(value).toBeCloseTo(plain.covariance.data[k]!, 9);
        },
      ),
      { numRuns: 40 },
    ));

  test("are the same bits whatever the batches", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), (cut) => {
        const { data } = normal("batches", 30, 3);
        const cutUp = new Moments(3).add(data.subarray(0, cut * 3)).add(data.subarray(cut * 3));
        expect(cutUp.covariance).toEqual(new Moments(3).add(data).covariance);
      }),
    );
  });

  test("refuse a block twice, other features, and what is not finite", async () => {
    const one = await part(normal("a", 32, 2).data, 2, 0, 2);
    expect(() => one.addNode({ ...one.parts[0]!, level: 0, index: 1 })).toThrow(
      "features: block 1 is there already, or is out of order",
    );
    expect(() => one.merge(new BlockMoments(3))).toThrow("features of 2 and of 3 numbers cannot be merged");
    expect(() => new BlockMoments(2).mean).toThrow("features: 0 of them have no mean; at least 1 is needed");
    const broken = { data: Float32Array.of(1, 2, 3, Number.NaN), dimensions: 2 };
    await expect(momentsOf(broken, BLOCK, plainProducts)).rejects.toThrow("number 1 is not finite in every image");
  });

  test("of more dimensions than are multiplied at once are the same", async () => {
    const features = normal("wide", 9, 11);
    const narrow = { rows: 4, multiply: plainProducts.multiply };
    const [whole, parts] = [await momentsOf(features, 9, plainProducts), await momentsOf(features, 9, narrow)];
    expect(parts.covariance).toEqual(whole.covariance);
  });
});

describe("precision and recall", () => {
  test("are 1 for identical sets, swap with the sets, and 0 for sets apart", async () => {
    const [a, b] = [normal("a", 150, 3), normal("b", 130, 3, 0.7)];
    expect(await precisionRecall(a, a)).toEqual({ precision: 1, recall: 1 });
    const [there, back] = [await precisionRecall(a, b), await precisionRecall(b, a)];
    expect(there.precision).toBe(back.recall);
    expect(there.recall).toBe(back.precision);
    expect(await precisionRecall(a, normal("b", 100, 3, 50))).toEqual({ precision: 0, recall: 0 });
  });

  test("count copies as precise, also where balls have no size", async () => {
    const one = { data: new Float64Array(30).fill(7.3), dimensions: 3 };
    expect(await precisionRecall(one, one)).toEqual({ precision: 1, recall: 1 });
  });

  test("a collapsed set is precise and recalls little", async () => {
    const a = normal("a", 300, 2);
    const collapsed = { data: normal("c", 100, 2).data.map((value) => value * 0.05), dimensions: 2 };
    const { precision, recall } = await precisionRecall(a, collapsed);
    expect(precision).toBeGreaterThan(0.8);
    expect(recall).toBeLessThan(0.1);
  });

  test("are the same in tiles as at once", async () => {
    const [a, b] = [normal("a", 90, 3), normal("b", 70, 3, 0.5)];
    const narrow = { rows: 16, multiply: plainProducts.multiply };
    expect(await precisionRecall(a, b, { products: narrow })).toEqual(await precisionRecall(a, b));
    expect(await precisionRecall(a, a, { products: narrow })).toEqual({ precision: 1, recall: 1 });
  });

  test("refuse too few images and other features", async () => {
    const a = normal("a", 3, 2);
    await expect(precisionRecall(a, a)).rejects.toThrow("precision and recall need more than 3 images in each set");
    await expect(precisionRecall(a, normal("a", 9, 3))).rejects.toThrow(
      "features of 2 and of 3 numbers cannot be compared",
    );
  });

  test("the nearest of a set that holds a feature is itself, at 0", () => {
    const a = normal("a", 90, 5);
    for (const [i, { index, squared }] of nearest(a, a).entries()) expect([index, squared]).toEqual([i, 0]);
  });
});

describe("the Fréchet distance of few features", () => {
  test("is that of their covariances, whichever set is smaller", () => {
    for (const [n, m, D] of [
      [5, 9, 20],
      [12, 7, 16],
      [40, 40, 6],
    ] as const) {
      const [x, y] = [normal("few x", n, D), normal("few y", m, D, 0.5)];
      const known = frechetDistance(new Moments(D).add(x.data), new Moments(D).add(y.data));
      expect(Math.abs(frechetOfFew(x, y) / known - 1)).toBeLessThan(1e-6);
    }
  });

  test("is 0 of a set to itself, and refuses one image", () => {
    const x = normal("x", 8, 30);
    expect(frechetOfFew(x, x)).toBeLessThan(1e-6);
    expect(() => frechetOfFew(x, normal("y", 1, 30))).toThrow("1 of them have no covariance; at least 2 are needed");
  });
});

describe("the kernel distance", () => {
  test("is unbiased: 0 on average between sets of one distribution, above 0 otherwise", async () => {
    const draws: number[] = [];
    for (let k = 0; k < 200; k++)
      draws.push((await kernelDistance(normal(`a${k}`, 20, 2), normal(`b${k}`, 20, 2), { subsets: 1 })).mean);
    const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length;
    const error = Math.sqrt(draws.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / draws.length;
    expect(Math.abs(mean)).toBeLessThan(3 * error);
    const apart = await kernelDistance(normal("a", 200, 2), normal("b", 200, 2, 1), { subsets: 3, size: 100 });
    expect(apart.mean).toBeGreaterThan(20 * error);
  });

  test("depends on the seed alone", async () => {
    const of = (seed: number) => kernelDistance(normal("a", 60, 2), normal("b", 60, 2), { size: 20, subsets: 5, seed });
    expect(await of(1)).toEqual(await of(1));
    expect((await of(1)).mean).not.toBe((await of(2)).mean);
  });
});

describe("the Inception Score", () => {
  test("is 1 where every image says the same, and the number of classes where each is sure of its own", () => {
    expect(inceptionScore(new Float64Array(40).fill(0.25), 4).mean).toBeCloseTo(1, 12);
    const sure = Float64Array.from({ length: 64 }, (_, at) => Number(Math.floor(at / 4) % 4 === at % 4));
    expect(inceptionScore(sure, 4)).toEqual({ mean: expect.closeTo(4, 12), deviation: 0 });
  });
});

describe("the interval of a share", () => {
  test("holds the true share 95 times of 100, and has a width where none or all were found", () => {
    for (const [p, n] of [
      [0.5, 400],
      [0.05, 200],
      [0.98, 1000],
    ] as const) {
      const held = Array.from({ length: 2000 }, (_, k) => {
        const found = key(k).fold("share").uniform(n);
        const { low, high } = shareInterval(found.filter((u) => u < p).length / n, n);
        return low <= p && p <= high;
      });
      expect(Math.abs(held.filter(Boolean).length / 2000 - 0.95)).toBeLessThan(0.025);
    }
    expect(shareInterval(0, 50)).toEqual({ low: 0, high: expect.closeTo(0.0713, 3) });
    expect(shareInterval(1, 50).high).toBeCloseTo(1, 12);
    expect(() => shareInterval(1.2, 50)).toThrow("a share of 1.2 among 50 has no interval");
  });
});

test("eigenvalues of matrices of low rank are found, and all others are zero to rounding", () => {
  for (const [n, rank] of [
    [60, 5],
    [120, 60],
    [150, 149],
  ] as const) {
    const x = key(n)
      .normal(n * rank)
      .map((z, i) => z * 10 ** (((i % rank) / rank) * 6)); // scales over six decades
    const data = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        for (let k = 0; k < rank; k++) data[i * n + j]! += x[i * rank + k]! * x[j * rank + k]!;
    const found = [...symmetricEigenvalues({ size: n, data })].sort((a, b) => b - a);
    const trace = data.filter((_, k) => k % (n + 1) === 0).reduce((a, b) => a + b);
    expect(Math.abs(found.reduce((a, b) => a + b) / trace - 1)).toBeLessThan(1e-12);
    expect(Math.max(...found.slice(rank).map(Math.abs)) / trace).toBeLessThan(1e-13);
  }
});
