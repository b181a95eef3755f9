import { describe, expect, test } from "vitest";
import { distance, referenceValues } from "../../tests/engine.js";
import { drive, exactReadings } from "../../tests/sampling.js";
import type { Tensor } from "../graph/tensor.js";
import { cos } from "../ops/index.js";
import { fixedStep } from "./ode.js";
import { sampleTimes } from "./renoise.js";
import type { Readings } from "./sampler.js";
import { DORMAND_PRINCE, EULER, HEUN, MIDPOINT, RK4 } from "./tableau.js";

const OPTIONS = { eta: 0, churn: 0, atol: 1, rtol: 1 };
const METHODS = [EULER, MIDPOINT, HEUN, RK4, DORMAND_PRINCE];

/** dx/dt = x² cos t, solved by x = 1/(c − sin t): not linear, and not the same at all times. */
const curved: Readings = {
  ode: { slope: (x, t) => x.square().mul(cos(t)), times: sampleTimes },
  deviation: 1,
};
const C = [1.5, 2, -1, 4];
const start = C.map((c) => 1 / (c - Math.sin(1)));
const end = C.map((c) => 1 / c);

/** Slope of the least-squares line through (log h, log error). */
const measuredOrder = (steps: readonly number[], errors: readonly number[]): number => {
  const [x, y] = [steps.map((n) => -Math.log(n)), errors.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((sum, v, i) => sum + (v - mx) * (y[i]! - my), 0) / x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
};

describe.each(METHODS)("$name", (method) => {
  const planOf = (steps: number, readings: Readings) => fixedStep(method)({ ...OPTIONS, steps }).plan(readings);

  test("its error falls as h to the order that it claims", async () => {
    const steps = [16, 32, 64, 128];
    const errors = [];
    for (const n of steps)
      errors.push(distance((await drive(planOf(n, curved), referenceValues, { x: start })).x, end));
    expect(Math.abs(measuredOrder(steps, errors) - method.order)).toBeLessThan(0.25);
  });

  test("carries noise to data along the closed-form trajectories of a Gaussian", async () => {
    const [m, s] = [0.7, 0.4];
    const z = [-2, -0.3, 0, 1, 2.5];
    const plan = planOf(256, exactReadings(m, s));
    const { x } = await drive(plan, referenceValues, { x: z });
    expect(
      distance(
        x,
        z.map((value) => m + s * value),
      ),
    ).toBeLessThan(method.order === 1 ? 0.02 : 1e-4);
  });

  test("spends as many evaluations as its plan says, at each time and step of the grid", async () => {
    let calls = 0;
    const slope = (x: Tensor): Tensor => {
      calls++;
      return x;
    };
    const plan = planOf(4, { ...curved, ode: { times: sampleTimes, slope } });
    const { evaluations, moves } = await drive(plan, referenceValues, { x: start });
    expect(moves.map(({ at }) => at)).toEqual([1, 0.75, 0.5, 0.25].map((t) => ({ t, h: -0.25 })));
    expect(evaluations).toBe(4 * plan.programs.step!.evaluations);
    expect(plan.programs.step!.evaluations).toBe(method === DORMAND_PRINCE ? calls - 1 : calls); // k_7 is not used
  });
});

test("one step of each classical method is its formula", async () => {
  const [x, h] = [start[0]!, -1];
  const f = (value: number, t: number): number => value ** 2 * Math.cos(t);
  const k = f(x, 1);
  const wanted = {
    euler: x + h * k,
    midpoint: x + h * f(x + (h / 2) * k, 1 / 2),
    heun: x + (h / 2) * (k + f(x + h * k, 0)),
  };
  for (const method of [EULER, MIDPOINT, HEUN]) {
    const plan = fixedStep(method)({ ...OPTIONS, steps: 1 }).plan(curved);
    const got = await drive(plan, referenceValues, { x: [x] });
    expect(got.x[0]).toBeCloseTo(wanted[method.name as keyof typeof wanted], 12);
  }
});

test("every solver follows the times that the model gives, whatever they are", async () => {
  const slope = exactReadings(0.5, 1).denoiser; // any function of x and t
  const times = (): readonly number[] => [8, 2, 1];
  for (const method of METHODS) {
    const plan = fixedStep(method)({ ...OPTIONS, steps: 2 }).plan({ ode: { slope, times }, deviation: 8 });
    const { moves } = await drive(plan, referenceValues, { x: [1] });
    expect(moves.map(({ at }) => at)).toEqual([
      { t: 8, h: -6 },
      { t: 2, h: -1 },
    ]);
  }
});
