import { expect, test } from "vitest";
import { distance, referenceValues } from "../../tests/engine.js";
import { drive, exactReadings, momentsAfter } from "../../tests/sampling.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { PATHS } from "../paths/index.js";
import { renoiseSteps } from "./renoise.js";
import type { Readings } from "./sampler.js";
import { solutionSteps } from "./solution.js";

const OPTIONS = { eta: 0, churn: 0, atol: 1, rtol: 1 };
const BOTH = [
  ["solution", solutionSteps],
  ["renoise", renoiseSteps],
] as const;
const z = [-2, -0.3, 0, 1, 2.5];
const [m, s] = [0.7, 0.4];

test.each(BOTH)("%s brings noise to exactly the data of a Gaussian, in any number of steps", async (_, sampler) => {
  for (const steps of [1, 2, 3, 16]) {
    const plan = sampler({ ...OPTIONS, steps }).plan(exactReadings(m, s));
    const got = await momentsAfter(plan, referenceValues, { mean: 0, variance: 1 });
    expect(got.mean).toBeCloseTo(m, 10);
    expect(got.variance).toBeCloseTo(s ** 2, 10);
  }
});

test("along the solution every sample keeps to its own trajectory", async () => {
  for (const steps of [1, 2, 7]) {
    const { x, evaluations } = await drive(
      solutionSteps({ ...OPTIONS, steps }).plan(exactReadings(m, s)),
      referenceValues,
      { x: z },
    );
    expect(
      distance(
        x,
        z.map((value) => m + s * value),
      ),
    ).toBeLessThan(1e-12);
    expect(evaluations).toBe(steps);
  }
});

/** A function that no trajectory would give, so that each step can be told from another. */
const odd: Readings = {
  solution: { f: (x: Tensor, t: Tensor, to: Tensor) => x.mul(t).add(to).add(0.5), path: PATHS.linear },
  deviation: 1,
};

test("one step of either is f(x, 1, 0); two are their formulas", async () => {
  const noise = () => z.map((value) => 1 - value);
  const [one, two] = [1, 2].map((steps) =>
    BOTH.map(([, sampler]) => drive(sampler({ ...OPTIONS, steps }).plan(odd), referenceValues, { x: z, noise })),
  );
  for (const run of await Promise.all(one!)) expect(run.x).toEqual(z.map((value) => value + 0.5));
  const [along, renoised] = await Promise.all(two!);
  const wantedAlong = z.map((value) => 0.5 * (value + 1) + 0.5); // f(f(x, 1, ½), ½, 0)
  const wantedRenoised = z.map((value, i) => 0.5 * (0.5 * (value + 0.5) + 0.5 * noise()[i]!) + 0.5);
  expect(distance(along!.x, wantedAlong)).toBeLessThan(1e-12);
  expect(distance(renoised!.x, wantedRenoised)).toBeLessThan(1e-12);
  expect(renoised!.moves.map(({ fresh }) => fresh)).toEqual([true, false]);
  expect(along!.moves.map(({ fresh }) => fresh)).toEqual([false, false]);
});

test.each(BOTH)("%s refuses numbers of steps that are none", (name, sampler) => {
  for (const [steps, rule] of [
    [0, "at least 1"],
    [1.5, "a whole number"],
  ] as const)
    expect(() => sampler({ ...OPTIONS, steps })).toThrow(
      new UserError(`sampler ${name}: steps is ${steps}; it must be ${rule}`),
    );
});
