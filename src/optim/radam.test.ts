import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import { adamw, radam, rectification, scaleByRAdam } from "./index.js";
import type { Transform } from "./transform.js";

type Case = {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly learningRate: number;
  readonly steps: Readonly<Record<string, readonly number[]>>;
};

/** Parameters after steps of PyTorch's RAdam; the rule is in scripts/fixtures/radam.py. */
const torch = JSON.parse(readFileSync(new URL("../../tests/data/radam.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};

const N = 5;
const START = Array.from({ length: N }, (_, i) => 1 - 0.4 * i);
const gradientAt = (k: number): number[] => START.map((_, i) => Math.sin(1.7 * k + i) + 0.1 * i);

const programOf = (transform: Transform) => {
  const slots = { m: float("m", N), v: float("v", N) };
  const scalars = Object.fromEntries(Object.keys(transform.scalars).map((name) => [name, float(name)]));
  const parameter = float("parameter", N);
  const { u, slots: next } = transform.update(float("gradient", N), { slots, parameter, scalars });
  const at = (k: number) => Object.fromEntries(Object.entries(transform.scalars).map(([name, f]) => [name, [f(k)]]));
  return { outputs: { p: parameter.add(u), u, "next.m": next.m!, "next.v": next.v! }, at };
};

const run = testRuntime();

test.each(torch.cases)("RAdam goes where PyTorch's goes: β₁ $beta1, β₂ $beta2, decay $weightDecay", async (given) => {
  const { outputs, at } = programOf(radam({ ...given, learningRate: () => given.learningRate }));
  let state: Record<string, ArrayLike<number>> = { parameter: START, m: new Float64Array(N), v: new Float64Array(N) };
  for (let k = 1; k <= 20; k++) {
    const next = await run(outputs, { ...state, ...at(k), gradient: gradientAt(k) });
    state = { parameter: next.p!, m: next["next.m"]!, v: next["next.v"]! };
    const wanted = given.steps[k];
    if (wanted) expect(distance(next.p!, wanted), `step ${k}`).toBeLessThan(2e-6);
  }
});

test("the rectification is 0 at first, then grows towards 1", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.7, max: 0.9999, noNaN: true }), (beta2) => {
      const all = Array.from({ length: 200 }, (_, k) => rectification(beta2, k + 1));
      const begun = all.findIndex((r) => r > 0);
      expect(begun).toBeGreaterThanOrEqual(5);
      expect(all.slice(begun).every((r) => r > 0 && r <= 1)).toBe(true);
      for (let k = begun + 1; k < all.length; k++) expect(all[k]).toBeGreaterThanOrEqual(all[k - 1]! - 1e-9);
      expect(rectification(beta2, 1e6)).toBeCloseTo(1, 6);
    }),
  );
});

test("an average that can never be longer than 5 steps is never divided by", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.66, noNaN: true }), fc.integer({ min: 1, max: 1000 }), (beta2, k) => {
      expect(rectification(beta2, k)).toBe(0);
    }),
  );
});

test("before that the update is the corrected mean of the gradients, however small the squares are", () => {
  const { outputs, at } = programOf(scaleByRAdam({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }));
  const gradient = gaussian("gradient", [N]);
  const tiny = fc.double({ min: 1e-20, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), tiny, (k, v) => {
      const m = gradient.map((g) => g * (1 - 0.9 ** (k - 1))); // k − 1 times the same gradient
      const u = referenceOf(outputs.u, { gradient, m, v: new Float64Array(N).fill(v), ...at(k) });
      expect(distance(u, gradient)).toBeLessThan(1e-6);
    }),
  );
});

test("long after, it is Adam", () => {
  const options = { beta1: 0.9, beta2: 0.99, epsilon: 1e-12, weightDecay: 0.1, learningRate: () => 0.1 };
  const [a, b] = [programOf(radam(options)), programOf(adamw(options))];
  const feeds = {
    gradient: gaussian("gradient", [N]),
    parameter: gaussian("parameter", [N]),
    m: gaussian("m", [N]),
    v: gaussian("v", [N]).map((x) => x * x),
  };
  const k = 1e5;
  const [one, other] = [a, b].map(({ outputs, at }) => referenceOf(outputs.u, { ...feeds, ...at(k) }));
  expect(distance(one!, other!)).toBeLessThan(1e-6);
});
