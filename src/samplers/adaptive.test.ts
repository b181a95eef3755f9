import fc from "fast-check";
import { expect, test } from "vitest";
import { referenceValues } from "../../tests/engine.js";
import { drive, exactReadings } from "../../tests/sampling.js";
import { UserError } from "../errors.js";
import { cos, log, sin } from "../ops/index.js";
import { dopri5 } from "./adaptive.js";
import { sampleTimes } from "./renoise.js";
import type { Readings } from "./sampler.js";

const OPTIONS = { steps: 1, eta: 0, churn: 0, atol: 1e-6, rtol: 1e-3 };
const planOf = (readings: Readings, tolerances: { readonly atol?: number; readonly rtol?: number } = {}) =>
  dopri5({ ...OPTIONS, ...tolerances }).plan(readings);
const odeOf = (slope: NonNullable<Readings["ode"]>["slope"]): Readings => ({
  ode: { slope, times: sampleTimes },
  deviation: 1,
});

/** dx/dt = x² cos t, solved by x = 1/(c − sin t); c near 1 is steep. */
const curved = odeOf((x, t) => x.square().mul(cos(t)));
const C = [1.05, 1.5, 2, -1, 4];
const start = C.map((c) => 1 / (c - Math.sin(1)));
const errorsAt = async (tolerance: number): Promise<number[]> => {
  const plan = planOf(curved, { atol: tolerance, rtol: tolerance });
  const { x } = await drive(plan, referenceValues, { x: start });
  return x.map((value, i) => Math.abs(value - 1 / C[i]!) * Math.abs(C[i]!));
};

test("the relative error stays near the tolerance, and falls with it", async () => {
  const tolerances = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
  const errors = [];
  for (const tolerance of tolerances) errors.push(await errorsAt(tolerance));
  errors.forEach((all, i) => {
    for (const error of all) expect(error).toBeLessThan(tolerances[i]! * 10);
  });
  const worst = errors.map((all) => Math.max(...all));
  for (let i = 1; i < worst.length; i++) expect(worst[i]).toBeLessThan(worst[i - 1]! / 2);
});

test("ends at the data of a Gaussian, at the very last time", async () => {
  const z = [-2, -0.3, 0, 1, 2.5];
  const { x, moves } = await drive(planOf(exactReadings(0.7, 0.4), { rtol: 1e-6 }), referenceValues, { x: z });
  x.forEach((value, i) => {
    expect(value).toBeCloseTo(0.7 + 0.4 * z[i]!, 4);
  });
  const arrived = moves.at(-1)!.at as Record<"t" | "h", Float32Array>;
  for (let i = 0; i < z.length; i++) if (arrived.h[i] !== 0) expect(arrived.t[i]! + arrived.h[i]!).toBeCloseTo(0, 6);
});

test("what becomes of a sample does not depend on the others", async () => {
  const anyStart = fc.integer({ min: -1000, max: 4000 }).map((n) => n / 1000);
  const run = async (x: number[]) => (await drive(planOf(curved), referenceValues, { x })).x;
  await fc.assert(
    fc.asyncProperty(fc.array(anyStart, { minLength: 2, maxLength: 4 }), async (all) => {
      const alone = await Promise.all(all.map(async (x) => (await run([x]))[0]));
      expect(await run(all)).toEqual(alone);
    }),
    { numRuns: 10 },
  );
});

test("a sample that has arrived waits where it is, with a step of 0", async () => {
  const { moves } = await drive(planOf(curved), referenceValues, { x: start });
  const steps = moves.map(({ at }) => Array.from(at.h as Float32Array, (h) => h === 0));
  for (let k = 1; k < steps.length; k++)
    steps[k]!.forEach((waits, i) => {
      if (steps[k - 1]![i]) expect(waits).toBe(true);
    });
  expect(steps.at(-1)).toContain(true); // the smoother samples arrived earlier
  expect(steps.at(-1)).toContain(false);
});

test("a slope without change takes the fewest steps: 1/20 of the way, then five times as much, then the rest", async () => {
  const plan = planOf(odeOf((x) => x.mul(0).add(2)));
  const { x, moves, evaluations } = await drive(plan, referenceValues, { x: [5] });
  expect(x[0]).toBeCloseTo(3, 6);
  expect(moves.map(({ at }) => (at.h as Float32Array)[0])).toEqual(
    [-0.05, -0.25, -0.7].map((h) => expect.closeTo(h, 6) as number),
  );
  expect(evaluations).toBe(3 * 7);
});

test("it stops with the options to loosen where steps would become too small or too many", async () => {
  const jagged = planOf(
    odeOf((x, t) => sin(t.mul(1e9)).mul(1e9).add(x)),
    { atol: 1e-9, rtol: 1e-9 },
  );
  await expect(drive(jagged, referenceValues, { x: [0, 1] })).rejects.toThrow(
    new UserError(
      "sampler dopri5: sample 0 needs steps below 0.000001 of the way at t = 1; loosen rtol (1e-9) or atol (1e-9)",
    ),
  );
  const moves = planOf(curved, { rtol: 0.5 }).moves(1);
  const crawl = () => {
    moves.next();
    for (let k = 0; k < 4; k++) moves.next(Float32Array.of(1e9)); // four rejections, then steps that hardly grow
    for (;;) if (moves.next(Float32Array.of(0.59)).done) return;
  };
  expect(crawl).toThrow(
    new UserError("sampler dopri5: 1000 moves did not reach the end; loosen rtol (0.5) or atol (0.000001)"),
  );
});

test("values that are not finite are said to be so", async () => {
  const broken = planOf(odeOf((x, t) => log(t.sub(2)).add(x)));
  await expect(drive(broken, referenceValues, { x: [0] })).rejects.toThrow(
    new UserError("sampler dopri5: sample 0 has values that are not finite at t = 1; use other weights"),
  );
});

test.each([
  [{ rtol: 0 }, "sampler dopri5: rtol is 0; it must be above 0"],
  [{ atol: -1 }, "sampler dopri5: atol is -1; it must be above 0"],
  [{ rtol: Number.NaN }, "sampler dopri5: rtol is NaN; it must be finite"],
  [{ atol: Number.POSITIVE_INFINITY }, "sampler dopri5: atol is Infinity; it must be finite"],
])("tolerances %j are refused", (change, message) => {
  expect(() => dopri5({ ...OPTIONS, ...change })).toThrow(new UserError(message));
});
