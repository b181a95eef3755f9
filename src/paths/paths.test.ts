import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, referenceValues } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import {
  along,
  derivative,
  logitNormal,
  type MiddleTime,
  middleRatio,
  PARAMETERISATIONS,
  PATHS,
  partialS,
  partialT,
  solution,
  velocity,
} from "./index.js";

const [t, s] = [float("t"), float("s")];
const time = fc.double({ min: 0, max: 1, noNaN: true });
const real = fc.double({ min: -10, max: 10, noNaN: true });
const at = (y: Tensor, feeds: Record<string, number>): number =>
  referenceOf(y, Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, [value]])))[0]!;

describe.each(Object.entries(PATHS))("path %s", (_, path) => {
  test("runs from data at t = 0 to noise at t = 1", () => {
    expect(at(path.alpha(t), { t: 0 })).toBeCloseTo(1, 6);
    expect(at(path.beta(t), { t: 0 })).toBeCloseTo(0, 6);
    expect(at(path.alpha(t), { t: 1 })).toBeCloseTo(0, 6);
    expect(at(path.beta(t), { t: 1 })).toBeCloseTo(1, 6);
  });

  test("α falls and β grows", () => {
    const slopes = [derivative(path.alpha, t), derivative(path.beta, t)];
    fc.assert(
      fc.property(time, (at) => {
        const [alpha, beta] = referenceValues(slopes, { t: [at] });
        expect(alpha![0]).toBeLessThanOrEqual(0);
        expect(beta![0]).toBeGreaterThanOrEqual(-1e-6);
      }),
    );
  });

  test("v_t is the velocity of x_t", () => {
    const [x_0, eps] = [float("x_0", 2, 3), float("eps", 2, 3)];
    const { x_t, v_t } = along(path, t, { x_0, eps });
    const draws = { x_0: gaussian("x_0", [2, 3]), eps: gaussian("eps", [2, 3]) };
    const h = 1e-5;
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 0.99, noNaN: true }), (now) => {
        const [later, earlier] = [now + h, now - h].map((time) => referenceOf(x_t, { ...draws, t: [time] }));
        const wanted = later!.map((x, i) => (x - earlier![i]!) / (2 * h));
        expect(distance(referenceOf(v_t, { ...draws, t: [now] }), wanted)).toBeLessThan(1e-8);
      }),
      { numRuns: 20 },
    );
  });
});

describe.each(Object.entries(PARAMETERISATIONS))("parameterisation %s", (_, coefficients) => {
  const { a, b } = coefficients;
  const [x, F] = [float("x"), float("F")];

  test("f(x, t, t) = x, whatever the network says", () => {
    const f = solution(coefficients, x, t, t, F);
    fc.assert(
      fc.property(time, real, real, (time, value, output) => {
        expect(at(f, { t: time, x: value, F: output })).toBeCloseTo(value, 12);
      }),
    );
  });

  test("v̂ is the derivative of f in s at s = t, F held", () => {
    const f = solution(coefficients, x, t, s, F);
    const v = velocity(coefficients, x, t, F);
    const h = 1e-6;
    fc.assert(
      fc.property(time, real, real, (now, value, output) => {
        const [plus, minus] = [now + h, now - h].map((s) => at(f, { t: now, s, x: value, F: output }));
        expect(at(v, { t: now, x: value, F: output })).toBeCloseTo((plus! - minus!) / (2 * h), 6);
      }),
    );
  });

  test("the partial derivatives are those of the coefficients", () => {
    const h = 1e-6;
    fc.assert(
      fc.property(time, time, (p, q) => {
        for (const f of [a, b]) {
          const value = (t_: number, s_: number) => at(f(t, s), { t: t_, s: s_ });
          expect(at(partialT(f, t, s), { t: p, s: q })).toBeCloseTo((value(p + h, q) - value(p - h, q)) / (2 * h), 6);
          expect(at(partialS(f, t, s), { t: p, s: q })).toBeCloseTo((value(p, q + h) - value(p, q - h)) / (2 * h), 6);
        }
      }),
    );
  });

  test("b is negative below the diagonal: a step towards data goes against the velocity", () => {
    fc.assert(
      fc.property(time, time, (p, q) => {
        fc.pre(Math.abs(p - q) > 1e-6);
        expect(Math.sign(at(b(t, s), { t: p, s: q }))).toBe(Math.sign(q - p));
      }),
    );
  });
});

/** The network that is right when all data are the one point x_0 (on the path that suits the parameterisation). */
test.each([
  ["linear", "euler", (x: number, t: number, x_0: number) => (x - x_0) / t],
  [
    "trig",
    "trig",
    (x: number, t: number, x_0: number) => (Math.cos((Math.PI / 2) * t) * x - x_0) / Math.sin((Math.PI / 2) * t),
  ],
] as const)("%s path, %s parameterisation: the exact network carries x_t to x_s", (path, kind, exact) => {
  const names = ["x_0", "eps", "x", "F"] as const;
  const [x_0, eps, x, F] = names.map((name) => float(name)) as [Tensor, Tensor, Tensor, Tensor];
  const { x_t } = along(PATHS[path], t, { x_0, eps });
  const f = solution(PARAMETERISATIONS[kind], x, t, s, F);
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 1, noNaN: true }), time, real, real, (t, share, data, noise) => {
      const s = t * share;
      const now = at(x_t, { t, x_0: data, eps: noise });
      const then = at(x_t, { t: s, x_0: data, eps: noise });
      expect(at(f, { t, s, x: now, F: exact(now, t, data) })).toBeCloseTo(then, 5);
    }),
  );
});

describe("times", () => {
  const schedules: MiddleTime["schedule"][] = ["linear", "cosine", "exponent"];
  const ratio = fc.double({ min: 0.001, max: 1, noNaN: true });

  test.each(schedules)("r moves from the initial to the final value on schedule %s, never turning back", (schedule) => {
    fc.assert(
      fc.property(ratio, ratio, fc.integer({ min: 1, max: 100 }), (initial, final, steps) => {
        const all = Array.from({ length: steps + 1 }, (_, k) => middleRatio({ schedule, initial, final }, k, steps));
        expect(all[0]).toBeCloseTo(initial, 12);
        expect(all[steps]).toBeCloseTo(final, 12);
        const turns = all.slice(1).filter((r, k) => (r - all[k]!) * Math.sign(final - initial) < -1e-12);
        expect(turns).toEqual([]);
      }),
    );
  });

  test("const keeps the final value; exponent is halfway at the geometric mean, the others at the mean", () => {
    const [initial, final] = [0.1, 0.001];
    const halfway = (schedule: MiddleTime["schedule"]) => middleRatio({ schedule, initial, final }, 5, 10);
    for (const k of [0, 3, 10]) expect(middleRatio({ schedule: "const", initial, final }, k, 10)).toBe(final);
    expect(halfway("exponent")).toBeCloseTo(0.01, 12);
    expect(halfway("linear")).toBeCloseTo(0.0505, 12);
    expect(halfway("cosine")).toBeCloseTo(0.0505, 12);
  });

  test("logit-normal times lie inside (0, 1), grow with z, and have σ(mean) for their median", () => {
    const mean = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(mean, fc.double({ min: 0.1, max: 2, noNaN: true }), mean, (mean, deviation, z) => {
        const t = logitNormal({ mean, deviation }, z);
        expect(t > 0 && t < 1).toBe(true);
        expect(logitNormal({ mean, deviation }, z + 0.1)).toBeGreaterThan(t);
        expect(logitNormal({ mean, deviation }, 0)).toBeCloseTo(1 / (1 + Math.exp(-mean)), 12);
      }),
    );
  });
});
