import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodOf } from "../src/methods/index.js";
import { openRuntime, type Runtime } from "../src/runtime/index.js";
import { SAMPLERS, type SamplerName } from "../src/samplers/index.js";
import { parseConfig } from "../src/train/config/index.js";
import { runTraining } from "../src/train/run.js";
import { type DrawSamplesOptions, drawSamples } from "../src/train/sample.js";

/** Drawing from small trained models of every method, through ONNX Runtime. */

const FITS: Partial<Record<string, readonly SamplerName[]>> = {
  soflow: ["euler", "midpoint", "heun", "rk4", "dopri5", "solution", "renoise"],
  meanflow: ["euler", "midpoint", "heun", "rk4", "dopri5", "solution", "renoise"],
  "flow-matching": ["euler", "midpoint", "heun", "rk4", "dopri5"],
  ddpm: ["ancestral", "ddim"],
  edm: ["euler", "midpoint", "heun", "rk4", "dopri5", "edm"],
  consistency: ["multistep"],
};
const KINDS = Object.keys(FITS);

let folder: string;
let runtime: Runtime;
const train = async (kind: string): Promise<void> => {
  const text = `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 32, depth: 1 }
objective: { kind: ${kind} }
optimizer: { learningRate: 5.0e-3 }
ema: { decay: 0.9 }
train: { steps: 60, batch: 64, sampleCount: 64, threads: 1 }`;
  await runTraining({ config: parseConfig(text, kind, [`out=${JSON.stringify(join(folder, kind))}`]), runtime });
};
const draw = (kind: string, options: Partial<DrawSamplesOptions> = {}) =>
  drawSamples({ source: join(folder, kind), count: 20, seed: 5, runtime, steps: 3, ...options });
const furthest = (a: Float32Array, b: Float32Array): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-draw-"));
  runtime = await openRuntime({ threads: 1 });
  for (const kind of KINDS) await train(kind);
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(KINDS)("%s", (kind) => {
  test.each(Object.keys(SAMPLERS) as SamplerName[])(
    "%s fits or is refused; samples do not depend on the batch",
    async (sampler) => {
      if (!FITS[kind]!.includes(sampler)) {
        await expect(draw(kind, { sampler })).rejects.toThrow(`sampler ${sampler} needs `);
        return;
      }
      const [one, other] = [await draw(kind, { sampler, batch: 20 }), await draw(kind, { sampler, batch: 7 })];
      expect(one.images).toHaveLength(40);
      expect(one.images.every(Number.isFinite)).toBe(true);
      expect(furthest(one.images, other.images)).toBeLessThan(1e-4 * Math.max(...one.images.map(Math.abs)));
      expect(furthest(one.images, (await draw(kind, { sampler, seed: 6 })).images)).toBeGreaterThan(0.01);
    },
  );

  test("without a sampler it is drawn from as its method usually is", async () => {
    const { sampler, steps } = methodOf(kind).samplers.usual;
    const { steps: _, ...usual } = { source: join(folder, kind), count: 20, seed: 5, runtime, steps: undefined };
    expect((await drawSamples(usual)).images).toEqual((await draw(kind, { sampler, steps })).images);
  });
});

test("every ODE solver comes to the same end of the same flow", async () => {
  const exact = (await draw("flow-matching", { sampler: "dopri5", atol: 1e-6, rtol: 1e-6 })).images;
  for (const [sampler, steps, tolerance] of [
    ["rk4", 64, 2e-4],
    ["heun", 128, 2e-3],
    ["midpoint", 128, 2e-3],
    ["euler", 1024, 3e-2],
  ] as const)
    expect(furthest(exact, (await draw("flow-matching", { sampler, steps })).images), sampler).toBeLessThan(tolerance);
});

test("guidance while sampling costs twice the evaluations, is affine in w for one Euler step, and follows the label", async () => {
  const one = (guidance?: number) =>
    draw("flow-matching", { sampler: "euler", steps: 1, ...(guidance !== undefined && { guidance }) });
  const [plain, same, half, double] = [await one(), await one(1), await one(0.5), await one(2)];
  expect(same.images).toEqual(plain.images);
  expect([plain.evaluations, double.evaluations]).toEqual([1, 2]);
  const wanted = half.images.map((value, i) => value + (double.images[i]! - value) / 3); // 1 = 0.5 + (2 − 0.5) / 3
  expect(furthest(plain.images, wanted)).toBeLessThan(1e-4);
  expect(furthest(plain.images, double.images)).toBeGreaterThan(0.01);
});

test("guidance that a model cannot have is refused", async () => {
  await expect(draw("soflow", { guidance: 2 })).rejects.toThrow(
    "a soflow model is not guided while sampling but in training",
  );
  await expect(draw("consistency", { guidance: 2 })).rejects.toThrow("consistency model is not guided while sampling");
});
