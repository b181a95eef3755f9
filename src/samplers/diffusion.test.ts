import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance, gaussian, referenceValues } from "../../tests/engine.js";
import { drive, exactReadings, momentsAfter } from "../../tests/sampling.js";
import { UserError } from "../errors.js";
import { alphaBars } from "../objectives/diffusion.js";
import { ancestral } from "./ancestral.js";
import { ddim } from "./ddim.js";
import { spacedSteps } from "./spacing.js";

const OPTIONS = { eta: 0, churn: 0, atol: 1, rtol: 1 };
const BARS = alphaBars(1000);
const LAST = BARS[999]!;
const [m, s] = [0.7, 0.4];

describe("spacing", () => {
  test("any number of steps are different, rise, and run from the first step to the last", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1000 }), (n) => {
        const steps = spacedSteps(1000, n);
        expect([steps.length, steps[0], steps.at(-1)]).toEqual([n, 0, 999]);
        for (let k = 1; k < n; k++) expect(steps[k]! - steps[k - 1]!).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  test("all steps are all; one is the last; halves are rounded to even as in Python", () => {
    expect(spacedSteps(1000, 1000)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(spacedSteps(1000, 1)).toEqual([999]);
    expect(spacedSteps(1000, 10)).toEqual([0, 111, 222, 333, 444, 555, 666, 777, 888, 999]);
    expect(spacedSteps(1000, 7)).toEqual([0, 166, 333, 500, 666, 832, 999]); // 166.5, 499.5 and 832.5
  });
});

describe.each([
  ["ancestral", ancestral],
  ["ddim", ddim],
] as const)("%s", (name, sampler) => {
  test("lands exactly on data of one point, in any number of steps", async () => {
    for (const steps of [1, 2, 17]) {
      const plan = sampler({ ...OPTIONS, steps }).plan(exactReadings(m, 0, BARS));
      const got = await momentsAfter(plan, referenceValues, { mean: -0.2, variance: 1.7 });
      expect(got.mean).toBeCloseTo(m, 10);
      expect(got.variance).toBeLessThan(1e-12);
    }
  });

  test("tells the network the original steps, from noise to data, and wants no noise after the last", async () => {
    const plan = sampler({ ...OPTIONS, steps: 4, eta: 1 }).plan(exactReadings(m, s, BARS));
    const { moves, evaluations } = await drive(plan, referenceValues, { x: [0] });
    expect(moves.map(({ at }) => at.i)).toEqual([999, 666, 333, 0]);
    expect(moves.map(({ fresh }) => fresh)).toEqual([true, true, true, false]);
    expect(evaluations).toBe(4);
  });

  test("one step is x̂_0", async () => {
    const plan = sampler({ ...OPTIONS, steps: 1 }).plan(exactReadings(m, s, BARS));
    const { x } = await drive(plan, referenceValues, { x: [-1, 0.5] });
    // E[x_0 | x] of a Gaussian
    const total = LAST * s ** 2 + 1 - LAST;
    const wanted = [-1, 0.5].map((value) => m + ((Math.sqrt(LAST) * s ** 2) / total) * (value - Math.sqrt(LAST) * m));
    expect(distance(x, wanted)).toBeLessThan(1e-9);
  });

  test.each([
    [0, `sampler ${name}: steps is 0; it must be at least 1`],
    [2.5, `sampler ${name}: steps is 2.5; it must be a whole number`],
    [2000, `sampler ${name}: steps is 2000; it must be at most 1000, the steps the model was trained with`],
  ])("%d steps are refused", (steps, message) => {
    expect(() => sampler({ ...OPTIONS, steps }).plan(exactReadings(m, s, BARS))).toThrow(new UserError(message));
  });
});

test("ancestral sampling brings noise to the mean and variance of the data, closer with more steps", async () => {
  const noise = { mean: Math.sqrt(LAST) * m, variance: LAST * s ** 2 + 1 - LAST };
  const off = [];
  for (const steps of [40, 160, 500]) {
    const plan = ancestral({ ...OPTIONS, steps }).plan(exactReadings(m, s, BARS));
    const got = await momentsAfter(plan, referenceValues, noise);
    expect(got.mean).toBeCloseTo(m, 8);
    off.push(Math.abs(got.variance / s ** 2 - 1));
  }
  expect(off[1]).toBeLessThan(off[0]! / 2);
  expect(off[2]).toBeLessThan(off[1]! / 2);
  expect(off[1]).toBeCloseTo(0.09907831251, 10); // computed apart, with numpy
  expect(off[2]).toBeLessThan(0.05);
});

test("DDIM without noise comes to the trajectory of the ODE as steps grow", async () => {
  const z = [-2, -0.3, 0, 1, 2.5];
  const deviation = Math.sqrt(LAST * s ** 2 + 1 - LAST);
  const wanted = z.map((value) => m + (s / deviation) * (value - Math.sqrt(LAST) * m));
  const errors = [];
  for (const steps of [25, 100, 400]) {
    const plan = ddim({ ...OPTIONS, steps }).plan(exactReadings(m, s, BARS));
    errors.push(distance((await drive(plan, referenceValues, { x: z })).x, wanted));
  }
  expect(errors[1]).toBeLessThan(errors[0]! / 2);
  expect(errors[2]).toBeLessThan(errors[1]! / 2);
  expect(errors[2]).toBeLessThan(0.01);
});

test("DDIM with η = 1 is ancestral sampling, noise for noise", async () => {
  const readings = exactReadings(m, s, BARS);
  const noise = (k: number) => gaussian(`noise ${k}`, [5]);
  for (const steps of [2, 9, 50]) {
    const [a, b] = [ancestral({ ...OPTIONS, steps }), ddim({ ...OPTIONS, steps, eta: 1 })].map((sampler) =>
      drive(sampler.plan(readings), referenceValues, { x: gaussian("x", [5]), noise }),
    );
    expect(distance((await a!).x, (await b!).x)).toBeLessThan(1e-9);
  }
});

test("a step of DDIM leaves the noise where η says: from none to that of the posterior", async () => {
  const plan = (eta: number) => ddim({ ...OPTIONS, steps: 3, eta }).plan(exactReadings(m, s, BARS));
  const sigmas = [0, 0.25, 1].map((eta) => [...plan(eta).moves(1)].map(({ at }) => at.sigma as number));
  sigmas[2]!.forEach((sigma, k) => {
    expect([sigmas[0]![k], sigmas[1]![k]]).toEqual([0, expect.closeTo(sigma / 4, 12)]);
  });
  expect([...plan(0).moves(1)].map(({ fresh }) => fresh)).toEqual([false, false, false]);
});

test.each([-0.1, 1.5, Number.NaN])("eta %d is refused", (eta) => {
  expect(() => ddim({ ...OPTIONS, steps: 3, eta })).toThrow(
    new UserError(`sampler ddim: eta is ${eta}; it must be from 0 to 1`),
  );
});
