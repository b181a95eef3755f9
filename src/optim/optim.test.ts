import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import {
  adamw,
  addDecay,
  chain,
  clipFactor,
  emaDecay,
  globalNorm,
  learningRate,
  mixture,
  type ScheduleOptions,
  scaleByAdam,
  scaleByLearningRate,
  type Transform,
} from "./index.js";

const N = 5;
const OPTIONS = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  learningRate: (k: number) => 0.05 / Math.sqrt(k),
};

/** One update as a program of its inputs, with the scalars' values at step k. */
const stepOf = (transform: Transform) => {
  const state = Object.fromEntries(transform.slots.map((slot) => [slot, float(slot, N)]));
  const scalars = Object.fromEntries(Object.keys(transform.scalars).map((name) => [name, float(name)]));
  const parameter = float("parameter", N);
  const { u, slots } = transform.update(float("gradient", N), { slots: state, parameter, scalars });
  const scalarsAt = (k: number) =>
    Object.fromEntries(Object.entries(transform.scalars).map(([name, f]) => [name, [f(k)]]));
  return { outputs: { parameter: parameter.add(u), u, ...slots }, scalarsAt };
};

const run = testRuntime();

test("AdamW follows a float64 loop of the published formulae for 20 steps", async () => {
  const { outputs, scalarsAt } = stepOf(adamw(OPTIONS));
  const named = Object.fromEntries(Object.entries(outputs).map(([name, y]) => [`next.${name}`, y]));
  const { beta1, beta2, epsilon, weightDecay } = OPTIONS;
  const start = gaussian("parameter", [N]);
  let state: Record<string, number[]> = { parameter: [...start], m: Array(N).fill(0), v: Array(N).fill(0) };
  const [p, m, v] = [Float64Array.from(start), new Float64Array(N), new Float64Array(N)];
  for (let k = 1; k <= 20; k++) {
    const gradient = gaussian(`gradient ${k}`, [N]);
    const next = await run(named, { ...state, ...scalarsAt(k), gradient });
    state = Object.fromEntries(["parameter", "m", "v"].map((name) => [name, next[`next.${name}`]!]));
    const rate = OPTIONS.learningRate(k);
    for (let i = 0; i < N; i++) {
      const g = gradient[i]!;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      const [mHat, vHat] = [m[i]! / (1 - beta1 ** k), v[i]! / (1 - beta2 ** k)];
      p[i] = p[i]! - rate * (mHat / (Math.sqrt(vHat) + epsilon) + weightDecay * p[i]!);
    }
    expect(distance(state.parameter!, p), `step ${k}`).toBeLessThan(1e-6);
  }
  expect(distance(state.m!, m)).toBeLessThan(1e-6);
  expect(distance(state.v!, v)).toBeLessThan(1e-6);
  expect(distance(p, start)).toBeGreaterThan(1e-2); // it went somewhere
});

describe("transforms", () => {
  const zeros = { m: new Float64Array(N), v: new Float64Array(N) };
  const gradient = gaussian("gradient", [N]);
  const parameter = gaussian("parameter", [N]);

  test("the first step of Adam is the sign of the gradient, however large it is", () => {
    const { outputs, scalarsAt } = stepOf(scaleByAdam(OPTIONS));
    const size = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(size, (factor) => {
        const scaled = gradient.map((g) => g * factor);
        const u = referenceOf(outputs.u, { ...zeros, parameter, gradient: scaled, ...scalarsAt(1) });
        expect(distance(u, gradient.map(Math.sign))).toBeLessThan(1e-4);
      }),
    );
  });

  test("decay adds λ p, and is nothing for λ = 0", () => {
    const [half, none] = [stepOf(addDecay(0.5)).outputs.u, stepOf(addDecay(0)).outputs.u];
    expect(
      distance(
        referenceOf(half, { parameter, gradient }),
        gradient.map((g, i) => g + 0.5 * parameter[i]!),
      ),
    ).toBe(0);
    expect(referenceOf(none, { gradient })).toEqual(gradient);
  });

  test("the learning rate turns the update round", () => {
    const { outputs, scalarsAt } = stepOf(scaleByLearningRate((k) => k / 4));
    expect(referenceOf(outputs.u, { gradient, ...scalarsAt(2) })).toEqual(gradient.map((g) => -g / 2));
  });

  test("a chain applies its parts in order and joins their state", () => {
    const whole = chain(
      scaleByAdam(OPTIONS),
      addDecay(0.1),
      scaleByLearningRate(() => 0.5),
    );
    expect(whole.slots).toEqual(["m", "v"]);
    expect(Object.keys(whole.scalars).sort()).toEqual(["correctedEpsilon", "correction", "negativeRate"]);
    const feeds = { ...zeros, gradient, parameter };
    const [adam, all] = [stepOf(scaleByAdam(OPTIONS)), stepOf(whole)];
    const u = referenceOf(adam.outputs.u, { ...feeds, ...adam.scalarsAt(1) });
    const wanted = u.map((value, i) => -0.5 * (value + Math.fround(0.1) * parameter[i]!));
    expect(distance(referenceOf(all.outputs.u, { ...feeds, ...all.scalarsAt(1) }), wanted)).toBeLessThan(1e-12);
  });

  test("a chain whose parts share a name is refused", () => {
    const adam = scaleByAdam(OPTIONS);
    expect(() => chain(adam, adam)).toThrow("chain: m is the name of two slots or scalars");
    expect(() =>
      chain(
        scaleByLearningRate(() => 1),
        scaleByLearningRate(() => 1),
      ),
    ).toThrow("chain: negativeRate is");
  });
});

describe("clipping", () => {
  const [a, b] = [float("a", 3), float("b", 2, 2)];
  const norm = globalNorm([a, b]);

  test("the norm is that of all tensors together, the factor brings it to the limit and never lengthens", () => {
    const real = fc.double({ min: -10, max: 10, noNaN: true });
    const seven = fc.array(real, { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(seven, fc.double({ min: 0.125, max: 20, noNaN: true }), (values, limit) => {
        const feeds = { a: values.slice(0, 3), b: values.slice(3) };
        const length = referenceOf(norm, feeds)[0]!;
        const factor = clipFactor(length, limit);
        expect(length).toBeCloseTo(Math.hypot(...values), 9);
        expect(factor).toBeLessThanOrEqual(1);
        expect(factor * length).toBeLessThanOrEqual(limit * (1 + 1e-6));
        if (length < limit - 1e-4) expect(factor).toBe(1);
        else expect(factor * length).toBeCloseTo(Math.min(limit, length), 3);
      }),
    );
  });

  test("a gradient of zero is left alone", () => {
    expect(clipFactor(0, 1)).toBe(1);
  });
});

describe("moving averages", () => {
  test("β a + (1 − β) b: β = 1 keeps, β = 0 replaces, a constant stays itself", () => {
    const [a, b] = [float("a", 1), float("b", 1)];
    const mixed = (beta: number, x: number, y: number) => referenceOf(mixture(beta, a, b), { a: [x], b: [y] })[0]!;
    const real = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), real, real, (beta, x, y) => {
        expect(mixed(1, x, y) === x).toBe(true); // 0 = −0 here
        expect(mixed(0, x, y) === y).toBe(true);
        expect(mixed(beta, x, x)).toBeCloseTo(x, 5);
        expect(mixed(beta, x, y)).toBeCloseTo(beta * x + (1 - beta) * y, 5);
      }),
    );
  });

  test("the decay is constant, or grows from 2/11 up to it", () => {
    const steps = Array.from({ length: 3000 }, (_, k) => k + 1);
    expect(new Set(steps.map(emaDecay({ decay: 0.99, warmup: false })))).toEqual(new Set([0.99]));
    const warm = steps.map(emaDecay({ decay: 0.99, warmup: true }));
    expect(warm[0]).toBeCloseTo(2 / 11, 12);
    expect(warm.at(-1)).toBe(0.99);
    expect(warm.every((decay, k) => decay <= 0.99 && (k === 0 || decay >= warm[k - 1]!))).toBe(true);
  });
});

describe("learning rates", () => {
  const schedules = ["constant", "linear", "cosine"] as const;
  const make = fc.record({
    schedule: fc.constantFrom(...schedules),
    learningRate: fc.double({ min: 1e-3, max: 1, noNaN: true }),
    finalLearningRate: fc.double({ min: 0, max: 1e-3, noNaN: true }),
    warmupSteps: fc.nat({ max: 20 }),
    steps: fc.integer({ min: 22, max: 100 }),
  });

  test("they climb linearly from 0, then never rise, and end at the final rate", () => {
    fc.assert(
      fc.property(make, (options: ScheduleOptions) => {
        const rate = learningRate(options);
        const { warmupSteps: warmup, steps } = options;
        for (let k = 1; k <= warmup; k++) expect(rate(k)).toBeCloseTo((options.learningRate * k) / warmup, 12);
        for (let k = warmup + 1; k < steps; k++) expect(rate(k + 1)).toBeLessThanOrEqual(rate(k) + 1e-15);
        const last = options.schedule === "constant" ? options.learningRate : options.finalLearningRate;
        expect(rate(steps)).toBeCloseTo(last, 12);
        expect(rate(steps + 50)).toBeCloseTo(last, 12); // beyond the plan it stays
      }),
    );
  });

  test.each(["linear", "cosine"] as const)("%s is at the middle of its rates halfway", (schedule) => {
    const rate = learningRate({ schedule, learningRate: 0.5, finalLearningRate: 0.1, warmupSteps: 10, steps: 30 });
    expect(rate(20)).toBeCloseTo(0.3, 12);
  });

  test("warm-up over all steps ends at the full rate", () => {
    const rate = learningRate({ schedule: "cosine", learningRate: 1, finalLearningRate: 0, warmupSteps: 4, steps: 4 });
    expect([1, 2, 3, 4].map(rate)).toEqual([0.25, 0.5, 0.75, 1]);
  });
});
