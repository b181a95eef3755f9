import fc from "fast-check";
import { expect, test } from "vitest";
import { sigmaGrid } from "../paths/index.js";
import { key } from "../random/random.js";
import { curriculumProblem, drawLevel, erf, improvedCurriculum, levelProbabilities } from "./curriculum.js";

test("the improved curriculum doubles from 11 to 1281 levels in eight stages of equal length", () => {
  const at = (k: number) => improvedCurriculum({ s0: 10, s1: 1280, steps: 800 }, k);
  expect([0, 99, 100, 200, 300, 400, 500, 600, 700, 799].map(at)).toEqual([
    11, 11, 21, 41, 81, 161, 321, 641, 1281, 1281,
  ]);
});

test("its levels never fall, whatever the run", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 0, max: 7 }),
      fc.integer({ min: 8, max: 500 }),
      (s0, n, steps) => {
        const options = { s0, s1: s0 * 2 ** n, steps };
        expect(curriculumProblem(options)).toBeUndefined();
        const levels = Array.from({ length: steps }, (_, k) => improvedCurriculum(options, k));
        expect(levels).toEqual(levels.toSorted((a, b) => a - b));
        expect(levels[0]).toBe(s0 + 1);
        expect(levels.at(-1)).toBe(s0 * 2 ** n + 1);
      },
    ),
  );
});

test("a run that is too short for its stages", () => {
  expect(curriculumProblem({ s0: 10, s1: 1280, steps: 5 })).toBe(
    "levels double from 10 to 1280 in 8 stages; a run of 5 steps is too short for it",
  );
});

// Abramowitz & Stegun, table 7.1, and math.erf of Python for the last two.
test.each([
  [0, 0],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [2.5, 0.999593047982555],
  [3.5, 0.9999992569016276],
])("erf(%d) = %d", (x, wanted) => {
  expect(erf(x)).toBeCloseTo(wanted, 13);
  expect(erf(-x)).toBeCloseTo(-wanted, 13);
});

test("probabilities of levels sum to 1, and are what a log-normal σ puts between neighbours", () => {
  const noise = { mean: -1.1, deviation: 2 };
  const grid = sigmaGrid(21);
  const probabilities = levelProbabilities(grid, noise);
  expect(probabilities).toHaveLength(20);
  expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
  const draws = key(0)
    .normal(200_000)
    .map((z) => Math.exp(noise.mean + noise.deviation * z));
  const within = draws.filter((sigma) => sigma <= grid[0]! && sigma > grid.at(-1)!);
  for (const [n, p] of probabilities.entries()) {
    const share = within.filter((sigma) => sigma <= grid[n]! && sigma > grid[n + 1]!).length / within.length;
    expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt(p / within.length) + 1e-4);
  }
});

test("levels are drawn as often as their probability says", () => {
  const probabilities = [0.5, 0, 0.2, 0.3];
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 1000; i++) counts[drawLevel(probabilities, (i + 0.5) / 1000)]!++;
  expect(counts).toEqual([500, 0, 200, 300]);
  expect(drawLevel([0.5, 0.5 - 1e-12], 1 - 1e-16)).toBe(1); // rounding leaves a rest to the last
});
