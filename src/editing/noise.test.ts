import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../random/random.js";
import { composite, mixNoise, noised } from "./noise.js";

describe("noise", () => {
  const weight = fc.double({ min: -100, max: 100, noNaN: true }).filter((w) => Math.abs(w) > 1e-3);
  const noises = [1, 2, 3].map((seed) => key(seed).normal(4000));

  test("mixed with any weights has variance 1", () =>
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 3 }), (weights) => {
        const mixed = mixNoise(weights.map((w, i) => ({ noise: noises[i]!, weight: w })));
        const variance = mixed.reduce((sum, z) => sum + z * z, 0) / mixed.length;
        expect(Math.abs(variance - 1)).toBeLessThan(0.12); // 4000 draws of χ²: σ = 0.022
      }),
      { numRuns: 30 },
    ));

  test("of one seed is that noise itself", () => {
    expect(mixNoise([{ noise: noises[0]!, weight: 7 }])).toEqual(noises[0]);
  });

  test("is put on an image from none of it at t = 0 to nothing else at t = 1", () => {
    const image = key(9).normal(50);
    const eps = key(8).normal(50);
    for (const path of ["linear", "trig"] as const) {
      const far = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
      expect(far(noised(path, 0, image, eps), image)).toBeLessThan(1e-6);
      expect(far(noised(path, 1, image, eps), eps)).toBeLessThan(1e-6);
    }
  });

  test("between two seeds it keeps its norm, and the ends are the seeds' own", () => {
    const at = (angle: number): Float32Array =>
      mixNoise([
        { noise: noises[0]!, weight: Math.cos(angle) },
        { noise: noises[1]!, weight: Math.sin(angle) },
      ]);
    expect([...at(0)]).toEqual([...noises[0]!]);
    for (const angle of [0.3, 0.8, 1.2]) {
      const variance = at(angle).reduce((sum, z) => sum + z * z, 0) / 4000;
      expect(Math.abs(variance - 1)).toBeLessThan(0.12);
    }
  });

  test("what does not fit is refused", () => {
    const [a, b] = [new Float32Array(8), new Float32Array(6)];
    expect(() => mixNoise([])).toThrow("noise: there are no parts; one must count");
    expect(() => mixNoise([{ noise: a, weight: 0 }])).toThrow("noise: all weights are 0; one must count");
    const uneven = [a, b].map((noise) => ({ noise, weight: 1 }));
    expect(() => mixNoise(uneven)).toThrow("noise has 6 numbers; it must have 8");
    expect(() => noised("linear", 1.5, a, a)).toThrow("strength is 1.5; it must be from 0 to 1");
    expect(() => noised("linear", 0.5, a, b)).toThrow("noise has 6 numbers; it must have 8");
    expect(() => composite(b, a, a)).toThrow("the mask has 6 numbers; an image of 8 needs one for each pixel");
    expect([...composite(Float32Array.of(0), Float32Array.of(Number.NaN), Float32Array.of(3))]).toEqual([3]);
  });

  test("a mask takes one image where it is white and the other where it is black, in every channel", () => {
    const mixed = composite(Float32Array.of(0, 1), Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8));
    expect([...mixed]).toEqual([5, 2, 7, 4]);
  });
});
