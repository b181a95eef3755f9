import { afterAll, beforeAll, expect, test } from "vitest";
import type { Dataset } from "../src/data/index.js";
import { microBatch, openMethod } from "../src/methods/index.js";
import { parameterInput } from "../src/nn/index.js";
import { key } from "../src/random/random.js";
import { openRuntime, type Runtime } from "../src/runtime/index.js";
import { parseConfig } from "../src/train/config/index.js";
import { describeModel, openStep } from "../src/train/open.js";

/** What saves memory changes no gradient: a step in parts, and with blocks computed again, ends where the plain one does. */

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openRuntime({ threads: 1 });
});
afterAll(() => runtime.close());

const BATCH = 16;
const dataset = {
  shape: { channels: 1, height: 16, width: 16 },
  classes: ["a", "b", "c"],
} as unknown as Dataset;
const raw = {
  images: key(1).normal(BATCH * 256),
  labels: BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % 3)),
  indices: Array.from({ length: BATCH }, (_, i) => 100 + i),
};

const oneStep = async (objective: string, train: string) => {
  const config = parseConfig(
    `
data: { kind: glyphs, size: 16 }
model: { patch: 4, width: 32, depth: 2, heads: 2 }
objective: ${objective}
optimizer: { learningRate: 1.0e-2, clipNorm: 0.5 }
train: { steps: 10, batch: ${BATCH}, ${train} }`,
    "memory",
  );
  const { step, release } = await openStep(runtime, config, describeModel(config, dataset));
  for (const name of step.state.names)
    if (/adaLN|final/.test(name) && name.startsWith(parameterInput("")))
      await step.state.write(
        name,
        key(2)
          .fold(name)
          .normal((await step.state.read(name)).length)
          .map((z) => z / 10),
      );
  const method = openMethod(config.objective);
  const parts = Array.from({ length: config.train.microBatches }, (_, j) =>
    method.draws(microBatch(raw, j, config.train.microBatches, method.firstFraction), {
      seed: 3,
      step: 4,
      steps: 10,
      classes: 3,
    }),
  );
  const report = { ...(await step.gradients(...parts)), ...(await step.update(1)) };
  const state = Object.fromEntries(
    await Promise.all(step.state.names.map(async (name) => [name, await step.state.read(name)] as const)),
  ) as Record<string, Float32Array>;
  release();
  return { report, state };
};

const OBJECTIVES = {
  "soflow, guided": "{ kind: soflow, guidance: { scale: 2, mix: 0.5 } }",
  meanflow: "{ kind: meanflow }",
  "flow-matching": "{ kind: flow-matching }",
};

test.each(Object.entries(OBJECTIVES))("%s: parts of a batch, and blocks computed again", async (_, objective) => {
  const plain = await oneStep(objective, "");
  for (const train of [
    "microBatches: 2",
    "microBatches: 4",
    "checkpointBlocks: true",
    "microBatches: 2, checkpointBlocks: true",
  ]) {
    const other = await oneStep(objective, train);
    for (const [name, value] of Object.entries(plain.report))
      expect(Math.abs(other.report[name]! - value) / Math.max(1e-3, Math.abs(value))).toBeLessThan(1e-4);
    for (const [name, values] of Object.entries(plain.state).filter(([name]) => name.startsWith("m."))) {
      const norm = Math.hypot(...values);
      const apart = Math.hypot(...values.map((value, i) => value - other.state[name]![i]!));
      expect(apart).toBeLessThanOrEqual(1e-4 * norm + 1e-9);
    }
  }
});

test("parts that cannot be alike are refused, with those that can be", () => {
  const config = (train: string) => () =>
    parseConfig(
      `{ data: { kind: glyphs }, model: { patch: 4, width: 32, depth: 1, heads: 2 }, train: ${train} }`,
      "x.yaml",
    );
  expect(config("{ steps: 1, batch: 64, microBatches: 5 }")).toThrow(
    /train\.microBatches is 5; it must divide the batch of 64 of 48 and 16 samples evenly: 1, 2, 4, 8, 16$/,
  );
  expect(config("{ steps: 1, batch: 64, microBatches: 16 }")).not.toThrow();
});
