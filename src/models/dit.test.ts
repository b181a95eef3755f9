import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import { jvp } from "../autodiff/index.js";
import { UserError } from "../errors.js";
import { sizeOf } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { type Parameter, parameterInput, Scope } from "../nn/index.js";
import { input } from "../ops/index.js";
import { key } from "../random/random.js";
import { classifier } from "./classifier.js";
import { checkDiT, DIT_SIZES, type DiTConfig, type DiTName, dit } from "./dit.js";

const LATENT = { imageSize: 32, channels: 4, classes: 1000, nullLabel: true } as const;
const TINY: DiTConfig = {
  imageSize: 4,
  channels: 2,
  patch: 2,
  width: 8,
  depth: 2,
  heads: 2,
  classes: 3,
  nullLabel: true,
};

const build = (config: DiTConfig, batch = 2) => {
  const scope = new Scope();
  const inputs = {
    x: float("x", batch, config.channels, config.imageSize, config.imageSize),
    t: float("t", batch, 1, 1, 1),
    s: float("s", batch, 1, 1, 1),
    y: input("y", { dtype: "int64", shape: [batch] }),
  };
  const F = (x: Tensor, t: Tensor, s: Tensor) => dit(config)(scope, { ...inputs, x, t, s });
  const output = F(inputs.x, inputs.t, inputs.s);
  return { F, ...inputs, output, parameters: scope.parameters };
};

const initial = (parameters: readonly Parameter[], seed: number) =>
  Object.fromEntries(
    parameters.map(({ name, tensor, initialize }) => [
      parameterInput(name),
      initialize(key(seed).fold(name), tensor.shape),
    ]),
  );

const count = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0);

/** Parameters of the official models, their fixed position codes included; those are a constant here. */
const OFFICIAL: Readonly<Record<DiTName, number>> = {
  "DiT-B/4": 131_214_400,
  "DiT-B/2": 131_288_080,
  "DiT-M/2": 308_281_360,
  "DiT-L/2": 459_399_184,
  "DiT-XL/2": 676_735_504,
};

test.each(Object.entries(OFFICIAL) as [DiTName, number][])("%s has its %i parameters", (name, official) => {
  const config: DiTConfig = { ...DIT_SIZES[name], ...LATENT };
  checkDiT(config);
  const { parameters, output } = build(config);
  const positions = (config.imageSize / config.patch) ** 2 * config.width;
  expect(count(parameters) + positions).toBe(official);
  expect(output.shape).toEqual([2, 4, 32, 32]);
});

test("names and shapes are those of the official checkpoints", () => {
  const [block, outside] = [/^blocks\.1\./, /^(?!blocks)/];
  const shapes = Object.fromEntries(build(TINY).parameters.map(({ name, tensor }) => [name, tensor.shape]));
  const only = (pattern: RegExp) => Object.fromEntries(Object.entries(shapes).filter(([name]) => pattern.test(name)));
  expect(only(outside)).toEqual({
    "x_embedder.proj.weight": [8, 2, 2, 2],
    "x_embedder.proj.bias": [8],
    "t_embedder.mlp.0.weight": [8, 256],
    "t_embedder.mlp.0.bias": [8],
    "t_embedder.mlp.2.weight": [8, 8],
    "t_embedder.mlp.2.bias": [8],
    "s_embedder.mlp.0.weight": [8, 256],
    "s_embedder.mlp.0.bias": [8],
    "s_embedder.mlp.2.weight": [8, 8],
    "s_embedder.mlp.2.bias": [8],
    "y_embedder.embedding_table.weight": [4, 8],
    "final_layer.adaLN_modulation.1.weight": [16, 8],
    "final_layer.adaLN_modulation.1.bias": [16],
    "final_layer.linear.weight": [8, 8],
    "final_layer.linear.bias": [8],
  });
  expect(only(block)).toEqual({
    "blocks.1.attn.qkv.weight": [24, 8],
    "blocks.1.attn.qkv.bias": [24],
    "blocks.1.attn.proj.weight": [8, 8],
    "blocks.1.attn.proj.bias": [8],
    "blocks.1.mlp.fc1.weight": [32, 8],
    "blocks.1.mlp.fc1.bias": [32],
    "blocks.1.mlp.fc2.weight": [8, 32],
    "blocks.1.mlp.fc2.bias": [8],
    "blocks.1.adaLN_modulation.1.weight": [48, 8],
    "blocks.1.adaLN_modulation.1.bias": [48],
  });
});

test.each([
  [10, true, 11],
  [10, false, 10],
  [0, true, 1],
  [0, false, 1],
])("%i labels, null label %s: the table has %i rows", (classes, nullLabel, rows) => {
  const table = build({ ...TINY, classes, nullLabel }).parameters.find(({ name }) => name.startsWith("y_embedder"));
  expect(table!.tensor.shape).toEqual([rows, 8]);
});

describe("initialisation", () => {
  const { parameters } = build({ ...TINY, width: 64, classes: 200 });
  const values = initial(parameters, 3);
  const deviation = (name: string): number => {
    const data = values[parameterInput(name)]!;
    return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
  };

  test("biases, modulations and the last layer start at zero, and nothing else does", () => {
    for (const { name } of parameters) {
      const zero = name.endsWith(".bias") || name.includes("adaLN") || name === "final_layer.linear.weight";
      expect(deviation(name) === 0, name).toBe(zero);
    }
  });

  test("the label table and the embedding of t have deviation 0.02", () => {
    expect(deviation("y_embedder.embedding_table.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("t_embedder.mlp.0.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("t_embedder.mlp.2.weight")).toBeCloseTo(0.02, 3);
  });

  test("the other matrices are Xavier, that of s included and a patch read as one row", () => {
    const xavier = (fanIn: number, fanOut: number) => Math.sqrt(2 / (fanIn + fanOut));
    expect(deviation("s_embedder.mlp.0.weight")).toBeCloseTo(xavier(256, 64), 2);
    expect(deviation("blocks.0.attn.qkv.weight")).toBeCloseTo(xavier(64, 192), 2);
    expect(deviation("blocks.1.mlp.fc2.weight")).toBeCloseTo(xavier(256, 64), 2);
    const bound = Math.sqrt(6 / (64 + 8));
    const patches = values[parameterInput("x_embedder.proj.weight")]!;
    expect(Math.max(...patches)).toBeLessThanOrEqual(Math.fround(bound));
    expect(Math.max(...patches)).toBeGreaterThan(0.97 * bound);
  });

  test("the same seed gives the same weights, another seed others", () => {
    expect(initial(parameters, 3)).toEqual(values);
    expect(initial(parameters, 4)).not.toEqual(values);
  });
});

const run = testRuntime();
const feeds = { x: gaussian("x", [2, 2, 4, 4]), t: [0.9, 0.4], s: [0.2, 0.1], y: [1, 3] };

test("an untrained network says exactly 0", async () => {
  const { output, parameters } = build(TINY);
  const results = await run({ output }, { ...feeds, ...initial(parameters, 1) });
  expect(results.output!.every((value) => value === 0)).toBe(true);
});

/** Weights with no zeros among them, so that everything counts. */
const filled = (parameters: readonly Parameter[]) =>
  Object.fromEntries(
    parameters.map(({ name, tensor }) => [
      parameterInput(name),
      gaussian(name, tensor.shape).map((value) => Math.fround(0.3 * value)),
    ]),
  );

test("the tangent through the whole network is its central difference, and ONNX Runtime agrees", async () => {
  const { F, x, t, s, parameters } = build(TINY);
  const [dx, dt, ds] = [float("dx", ...x.shape), float("dt", ...t.shape), float("ds", ...s.shape)];
  const [value, tangent] = jvp(F, [x, t, s], [dx, dt, ds]);
  const all = { ...feeds, ...filled(parameters), dx: gaussian("dx", x.shape), dt: [1, -0.5], ds: [0.3, 0.7] };
  const shift = (h: number) => ({
    ...all,
    x: all.x.map((v, i) => v + h * all.dx[i]!),
    t: all.t.map((v, i) => v + h * all.dt[i]!),
    s: all.s.map((v, i) => v + h * all.ds[i]!),
  });
  const h = 1e-5;
  const [plus, minus] = [referenceOf(value, shift(h)), referenceOf(value, shift(-h))];
  const wanted = plus.map((v, i) => (v - minus[i]!) / (2 * h));
  expect(distance(referenceOf(tangent, all), wanted)).toBeLessThan(1e-6);
  expect(distance((await run({ tangent }, all)).tangent!, wanted)).toBeLessThan(1e-4);
});

test("every input matters, and samples of a batch do not touch one another", () => {
  const { output, parameters } = build(TINY);
  const weights = filled(parameters);
  const value = (change: object) => referenceOf(output, { ...feeds, ...weights, ...change });
  const base = value({});
  const second = base.length / 2;
  const changes = { x: feeds.x.map((v, i) => (i < second ? v : v + 1)), t: [0.9, 0.5], s: [0.2, 0.2], y: [1, 0] };
  for (const [name, changed] of Object.entries(changes)) {
    const other = value({ [name]: changed });
    expect(other.subarray(0, second), name).toEqual(base.subarray(0, second));
    expect(distance(other, base), name).toBeGreaterThan(1e-3);
  }
});

test.each([
  [{ patch: 3 }, "model.patch is 3; it must divide the image size 4"],
  [{ heads: 3 }, "model.width is 8; it must be a multiple of model.heads, 3"],
  [{ width: 6 }, "model.width is 6; it must be a multiple of 4"],
  [{ depth: 0 }, "model.depth is 0; it must be at least 1"],
])("%o is refused: %s", (change, message) => {
  expect(() => checkDiT({ ...TINY, ...change })).toThrow(new UserError(message));
  expect(() => checkDiT(TINY)).not.toThrow();
});

test("the classifier gives a score for each label and sample", () => {
  const scope = new Scope();
  const config = { imageSize: 4, channels: 1, patch: 2, width: 8, depth: 1, heads: 2, classes: 5 };
  const { scores } = classifier(config)(scope, float("x", 3, 1, 4, 4));
  expect(scores.shape).toEqual([3, 5]);
  const x = gaussian("x", [3, 1, 4, 4]);
  const got = referenceOf(scores, { x, ...filled(scope.parameters) });
  const swapped = referenceOf(scores, {
    x: [...x.subarray(16, 32), ...x.subarray(0, 16), ...x.subarray(32)],
    ...filled(scope.parameters),
  });
  expect(distance(swapped, [...got.subarray(5, 10), ...got.subarray(0, 5), ...got.subarray(10)])).toBeLessThan(1e-12);
});
