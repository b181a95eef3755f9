import { describe, expect, test } from "vitest";
import { distance, gaussian, referenceValues, testRuntime } from "../../tests/engine.js";
import { drive, exactReadings } from "../../tests/sampling.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { alphaBars } from "../objectives/diffusion.js";
import { LEVELS } from "../paths/index.js";
import { DEFAULT_OPTIONS, fits, planSampler, type Readings, SAMPLERS, type SamplerName, samplersFor } from "./index.js";

const NAMES = Object.keys(SAMPLERS) as SamplerName[];
const [m, s] = [0.7, 0.4];
const exact = exactReadings(m, s, alphaBars());
const { ode, solution, noise, denoiser, consistency } = exact;
/** What the models of each method offer. */
const MODELS: Readonly<Record<string, Readings>> = {
  soflow: { ode, solution, deviation: 1 },
  "flow-matching": { ode, deviation: 1 },
  ddpm: { noise, deviation: 1 },
  edm: { ode, denoiser, deviation: LEVELS.largest },
  consistency: { consistency, deviation: LEVELS.largest },
};
const optionsOf = (steps: number) => ({ ...DEFAULT_OPTIONS, steps });

test("the registry has these samplers, and each says what it is in one line", () => {
  expect(NAMES).toEqual([
    "euler",
    "midpoint",
    "heun",
    "rk4",
    "dopri5",
    "ancestral",
    "ddim",
    "edm",
    "multistep",
    "solution",
    "renoise",
  ]);
  for (const name of NAMES) expect(SAMPLERS[name](DEFAULT_OPTIONS).about).toMatch(/^[^\n]{20,100}$/);
});

const run = testRuntime();
describe.each(NAMES)("%s", (name) => {
  const plan = planSampler(name, optionsOf(6), exact, "perfect");
  const deviation = ["edm", "multistep"].includes(name) ? LEVELS.largest : 1;
  const x = Float32Array.from(gaussian("x", [8]), (value) => value * deviation);
  const fresh = (k: number) => gaussian(`noise ${k}`, [8]);

  test("ONNX Runtime in float32 agrees with its definition in float64", async () => {
    const device = async (outputs: readonly Tensor[], feeds: Parameters<typeof run>[1]) => {
      const named = await run(Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])), feeds);
      return outputs.map((_, i) => named[`y${i}`]!);
    };
    const wanted = await drive(plan, referenceValues, { x, noise: fresh });
    const got = await drive(plan, device, { x, noise: fresh, dtype: "float32" });
    expect(distance(got.x, wanted.x)).toBeLessThan(1e-4);
    expect(got.evaluations).toBe(wanted.evaluations);
  });

  test("its moves give every number that their program wants, by names that mean nothing else to a runner", () => {
    for (const { program, at } of plan.moves(1)) {
      expect(Object.keys(at).sort()).toEqual([...plan.programs[program]!.numbers].sort());
      if (name === "dopri5") break; // it would wait for an error
    }
    const taken = ["x", "y", "eps", "next", "error"];
    for (const { numbers } of Object.values(plan.programs))
      expect(numbers.filter((n) => taken.includes(n))).toEqual([]);
  });

  test("a run counts the evaluations that its number of steps means", async () => {
    const each = { midpoint: 2, heun: 2, rk4: 4 }[name as string] ?? 1;
    const { evaluations, moves } = await drive(plan, referenceValues, { x, noise: fresh });
    if (name === "dopri5") expect(evaluations).toBe(7 * moves.length);
    else expect(evaluations).toBe(name === "edm" ? 11 : 6 * each);
  });

  test("many steps bring noise near data of a Gaussian", async () => {
    const start = gaussian("start", [400]).map((value) => value * deviation);
    const many = planSampler(name, optionsOf(30), exact, "perfect");
    const drawn = (await drive(many, referenceValues, { x: start, noise: (k) => gaussian(`n${k}`, [400]) })).x;
    const mean = drawn.reduce((sum, value) => sum + value, 0) / 400;
    const variance = drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 399;
    expect(Math.abs(mean - m)).toBeLessThan(0.12); // six standard errors
    expect(Math.abs(Math.sqrt(variance) - s)).toBeLessThan(0.1);
  });
});

test("a sampler fits the models that give what it needs", () => {
  expect(samplersFor(MODELS.soflow!)).toEqual(["euler", "midpoint", "heun", "rk4", "dopri5", "solution", "renoise"]);
  expect(samplersFor(MODELS["flow-matching"]!)).toEqual(["euler", "midpoint", "heun", "rk4", "dopri5"]);
  expect(samplersFor(MODELS.ddpm!)).toEqual(["ancestral", "ddim"]);
  expect(samplersFor(MODELS.edm!)).toEqual(["euler", "midpoint", "heun", "rk4", "dopri5", "edm"]);
  expect(samplersFor(MODELS.consistency!)).toEqual(["multistep"]);
  for (const name of NAMES)
    expect([name, fits(name, exact), fits(name, { deviation: 1 })]).toEqual([name, true, false]);
});

test.each([
  [
    "ddim",
    "soflow",
    "the noise ε̂(x_i, i) of a ddpm model; a soflow model does not give it; samplers that fit: euler, midpoint, heun, rk4, dopri5, solution, renoise",
  ],
  ["euler", "ddpm", "the slope dx/dt of an ODE; a ddpm model does not give it; samplers that fit: ancestral, ddim"],
  [
    "renoise",
    "edm",
    "the solution f(x, t, s) of a soflow or meanflow model; an edm model does not give it; samplers that fit: euler, midpoint, heun, rk4, dopri5, edm",
  ],
  [
    "edm",
    "consistency",
    "the denoiser D(x, σ) of an edm model; a consistency model does not give it; samplers that fit: multistep",
  ],
  [
    "multistep",
    "ddpm",
    "the consistency function f(x, σ) of a consistency model; a ddpm model does not give it; samplers that fit: ancestral, ddim",
  ],
] as const)("%s for a %s model is refused, with those that fit", (name, model, rest) => {
  // What fits is said first, even where an option is wrong too.
  expect(() => planSampler(name, optionsOf(0), MODELS[model]!, model)).toThrow(
    new UserError(`sampler ${name} needs ${rest}`),
  );
});

test("an unknown sampler is refused with the choices", () => {
  expect(() => planSampler("eular" as SamplerName, DEFAULT_OPTIONS, exact, "soflow")).toThrow(
    new UserError(
      "sampler eular is unknown; choose euler, midpoint, heun, rk4, dopri5, ancestral, ddim, edm, multistep, solution or renoise",
    ),
  );
});

test.each(NAMES.filter((name) => name !== "dopri5"))("%s refuses 0 steps; dopri5 does not read them", (name) => {
  expect(() => planSampler(name, optionsOf(0), exact, "perfect")).toThrow(
    new UserError(`sampler ${name}: steps is 0; it must be at least 1`),
  );
  expect(() => planSampler("dopri5", optionsOf(0), exact, "perfect")).not.toThrow();
});
