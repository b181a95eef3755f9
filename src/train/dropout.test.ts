import { describe, expect, test } from "vitest";
import { testRuntime } from "../../tests/engine.js";
import type { UNetConfig } from "../models/unet.js";
import { parameterInput } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { constant, gather, input } from "../ops/index.js";
import { key } from "../random/random.js";
import { dropoutMasks, networkDraws } from "./dropout.js";
import { openNetwork } from "./model.js";

const BATCH = 4;
const UNET: UNetConfig = {
  kind: "unet",
  imageSize: 4,
  channels: 1,
  width: 8,
  multipliers: [1, 1],
  depth: 1,
  attention: [2],
  dropout: 0.5,
  augment: 3,
  classes: 0,
  nullLabel: false,
};

const image = [1, 4, 4] as const;
const float = (name: string, ...shape: number[]) => input(name, { dtype: "float32", shape });
const raw = {
  images: new Float32Array(BATCH * 16),
  labels: new BigInt64Array(BATCH),
  indices: [40, 41, 42, 43],
  augment: key(1).normal(BATCH * 3),
};
const context = { seed: 3, step: 10, steps: 100, classes: 0 };

/** The network evaluated on these samples of a batch, all with the same x and times. */
const open = (samples: readonly number[]) => {
  const { network, parameters } = openNetwork(UNET, undefined, { dropout: dropoutMasks(UNET, BATCH) });
  const [x, t] = [float("x", samples.length, ...image), float("t", samples.length, 1, 1, 1)];
  const y = input("y", { dtype: "int64", shape: [samples.length] });
  const weights = parameters.map(({ name, tensor, initialize }) => {
    // Away from the first values, where the last layer is nearly zero.
    const value = initialize(key(5).fold(name), tensor.shape);
    return [
      parameterInput(name),
      name.endsWith("weight")
        ? key(5)
            .fold(name)
            .normal(value.length)
            .map((z) => 0.3 * z)
        : value,
    ];
  });
  const row = constant([...samples], [samples.length], "int64");
  const augment = gather(float("augment", BATCH, 3), row);
  return {
    output: network(x, t, t.mul(0), { label: y, row, augment }),
    weights: Object.fromEntries(weights),
    x,
    parameters,
  };
};

const run = testRuntime();
const evaluate = async (samples: readonly number[], from = raw, at = context): Promise<number[][]> => {
  const { output, weights } = open(samples);
  const draws = networkDraws(UNET, lower("masks", { output }).inputs, from, at);
  const one = key(2).normal(16);
  const x = samples.flatMap(() => [...one]);
  const feeds = { x, t: samples.map(() => 0.7), y: samples.map(() => 0), ...weights, ...draws };
  const { output: values } = await run({ output }, feeds as Record<string, ArrayLike<number>>);
  return samples.map((_, i) => values!.slice(i * 16, (i + 1) * 16));
};

describe("dropout and augmentation belong to samples", () => {
  test("two evaluations of a sample are the same, those of two samples are not", async () => {
    const rows = await evaluate([0, 1, 2, 3, 1, 2, 0]);
    expect(rows[4]).toEqual(rows[1]);
    expect(rows[5]).toEqual(rows[2]);
    expect(rows[6]).toEqual(rows[0]);
    for (const [a, b] of [
      [0, 1],
      [1, 2],
      [2, 3],
    ] as const)
      expect(rows[a]).not.toEqual(rows[b]);
  });

  test("what is kept depends on the seed, the step and the sample's place in the run, not on its place in the batch", async () => {
    const rows = await evaluate([0, 1, 2, 3]);
    const shuffled = { ...raw, indices: [41, 40, 43, 42], augment: raw.augment.slice().fill(0) };
    const still = await evaluate([0, 1, 2, 3], { ...raw, augment: shuffled.augment });
    const moved = await evaluate([0, 1, 2, 3], shuffled);
    expect(moved[0]).toEqual(still[1]);
    expect(moved[3]).toEqual(still[2]);
    expect(await evaluate([0, 1, 2, 3], raw, { ...context, step: 11 })).not.toEqual(rows);
    expect(await evaluate([0, 1, 2, 3], raw, { ...context, seed: 4 })).not.toEqual(rows);
  });

  test("numbers are kept with probability 1 − dropout", () => {
    const { output } = open([0, 1, 2, 3]);
    const draws = networkDraws({ ...UNET, dropout: 0.3 }, lower("masks", { output }).inputs, raw, context);
    const kept = Object.entries(draws).filter(([name]) => name.startsWith("keep."));
    expect(kept.length).toBe(10); // down: 2 blocks, 1 between the levels; up: in0, in1, 2 blocks for each level, 1 between them
    const all = kept.flatMap(([, values]) => [...(values as Uint8Array)]);
    const fraction = all.reduce((a, b) => a + b) / all.length;
    expect(Math.abs(fraction - 0.7)).toBeLessThan(4 * Math.sqrt(0.21 / all.length));
  });
});
