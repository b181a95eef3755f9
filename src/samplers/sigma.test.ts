import { describe, expect, test } from "vitest";
import { distance, referenceValues } from "../../tests/engine.js";
import { drive, exactReadings, momentsAfter } from "../../tests/sampling.js";
import { UserError } from "../errors.js";
import { LEVELS, sigmaGrid } from "../paths/index.js";
import { edm } from "./edm.js";
import { multistep, multistepLevels } from "./multistep.js";

const OPTIONS = { eta: 0, churn: 0, atol: 1, rtol: 1 };
const { smallest, largest } = LEVELS;
const [m, s] = [0.7, 0.4];
const exact = exactReadings(m, s);
/** Moments of x = x_0 + 80 ε. */
const noise = { mean: m, variance: s ** 2 + largest ** 2 };

describe("edm", () => {
  const planOf = (steps: number, churn = 0, readings = exact) => edm({ ...OPTIONS, steps, churn }).plan(readings);

  test("N steps are 2 N − 1 evaluations: Heun's on the grid of levels, then Euler's to 0", async () => {
    for (const steps of [1, 2, 5, 18]) {
      const { evaluations, moves } = await drive(planOf(steps), referenceValues, { x: [1] });
      expect(evaluations).toBe(2 * steps - 1);
      expect(moves.map(({ at }) => at.sigmaHat)).toEqual(sigmaGrid(steps));
      expect(moves.map(({ program }) => program)).toEqual([...Array(steps - 1).fill("heun"), "euler"]);
      expect(moves.at(-1)!.at.sigmaNext).toBe(0);
    }
    expect(Object.keys(planOf(1).programs)).toEqual(["euler"]);
  });

  test("one step is D(x, 80)", async () => {
    const { x } = await drive(planOf(1), referenceValues, { x: [-100, 3] });
    const wanted = [-100, 3].map((value) => (s ** 2 * value + largest ** 2 * m) / (s ** 2 + largest ** 2));
    expect(distance(x, wanted)).toBeLessThan(1e-12);
  });

  test("without churn it is of order 2", async () => {
    const x = [-150, -20, 0, 90];
    // The trajectory down to the smallest level, where the last step is D itself.
    const level = Math.hypot(s, smallest);
    const wanted = x.map((value) => m + (s ** 2 / level / Math.hypot(s, largest)) * (value - m));
    const errors = [];
    for (const steps of [65, 129, 257])
      errors.push(distance((await drive(planOf(steps), referenceValues, { x })).x, wanted));
    for (let i = 1; i < errors.length; i++) {
      const order = Math.log2(errors[i - 1]! / errors[i]!);
      expect(Math.abs(order - 2)).toBeLessThan(0.25);
    }
  });

  test("lands exactly on data of one point, churned or not", async () => {
    for (const [steps, churn] of [
      [1, 0],
      [3, 10],
      [6, 0],
    ] as const) {
      const got = await momentsAfter(planOf(steps, churn, exactReadings(m, 0)), referenceValues, noise);
      expect(got.mean).toBeCloseTo(m, 10);
      expect(got.variance).toBeLessThan(1e-12);
    }
  });

  test.each([0, 5, 40])(
    "with churn %d it keeps the mean, and the variance as the square of the steps",
    async (churn) => {
      const off = [];
      for (const steps of [100, 200]) {
        const got = await momentsAfter(planOf(steps, churn), referenceValues, noise);
        expect(got.mean).toBeCloseTo(m, 6);
        off.push(Math.abs(got.variance / s ** 2 - 1));
      }
      expect(Math.abs(Math.log2(off[0]! / off[1]!) - 2)).toBeLessThan(0.25);
      expect(off[1]).toBeLessThan(0.01);
    },
  );

  test("churn raises σ by a share γ = min(churn/N, √2 − 1), with the noise to match", async () => {
    for (const [churn, gamma] of [
      [1, 0.1],
      [4, 0.4],
      [5, Math.SQRT2 - 1],
    ] as const) {
      const moves = [...planOf(10, churn).moves(1)];
      sigmaGrid(10).forEach((sigma, i) => {
        const { sigmaHat, kick } = moves[i]!.at as Record<string, number>;
        expect(sigmaHat).toBeCloseTo(sigma * (1 + gamma), 10);
        expect(Math.hypot(sigma, kick!)).toBeCloseTo(sigmaHat!, 10);
      });
      expect(moves.every(({ fresh }) => fresh)).toBe(true);
    }
    expect([...planOf(10).moves(1)].some(({ fresh }) => fresh)).toBe(false);
  });

  test.each([
    [{ steps: 0 }, "sampler edm: steps is 0; it must be at least 1"],
    [{ churn: -1 }, "sampler edm: churn is -1; it must be at least 0"],
    [{ churn: Number.NaN }, "sampler edm: churn is NaN; it must be finite"],
  ])("%j is refused", (change, message) => {
    expect(() => edm({ ...OPTIONS, steps: 4, ...change })).toThrow(new UserError(message));
  });
});

describe("multistep", () => {
  const planOf = (steps: number, readings = exact) => multistep({ ...OPTIONS, steps }).plan(readings);

  test("levels fall from 80 to above 0.002; the second of two is 0.82", () => {
    expect(multistepLevels(1)).toEqual([expect.closeTo(80, 10)]);
    expect(multistepLevels(2)[1]).toBeCloseTo(0.82, 2);
    for (let n = 1; n < 60; n++) {
      const levels = multistepLevels(n);
      expect([levels.length, levels[0]]).toEqual([n, expect.closeTo(80, 10)]);
      for (let i = 1; i < n; i++) expect(levels[i]).toBeLessThan(levels[i - 1]!);
      expect(levels.at(-1)).toBeGreaterThan(smallest);
    }
  });

  test("any number of steps brings noise to exactly the data, at the smallest level", async () => {
    for (const steps of [1, 2, 3, 10]) {
      const got = await momentsAfter(planOf(steps), referenceValues, noise);
      expect(got.mean).toBeCloseTo(m, 10);
      expect(got.variance).toBeCloseTo(s ** 2 + smallest ** 2, 10);
    }
  });

  test("one step is f(x, 80), and each step is one evaluation with noise between", async () => {
    const { x } = await drive(planOf(1), referenceValues, { x: [-100, 3] });
    const gain = Math.hypot(s, smallest) / Math.hypot(s, largest);
    expect(
      distance(
        x,
        [-100, 3].map((value) => m + gain * (value - m)),
      ),
    ).toBeLessThan(1e-10);
    const { evaluations, moves } = await drive(planOf(4), referenceValues, { x: [1] });
    expect([evaluations, ...moves.map(({ fresh }) => fresh)]).toEqual([4, false, true, true, true]);
  });
});
