import { expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import { jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { parameterInput, Scope } from "../nn/index.js";
import { input } from "../ops/index.js";
import { key } from "../random/random.js";
import { type MlpConfig, mlp } from "./mlp.js";
import { checkNetwork } from "./network.js";

const TINY: MlpConfig = {
  kind: "mlp",
  imageSize: 1,
  channels: 2,
  width: 6,
  depth: 2,
  classes: 3,
  nullLabel: true,
};
const B = 4;

const build = (config: MlpConfig) => {
  const scope = new Scope();
  const [x, t, s] = [float("x", B, 2, 1, 1), float("t", B, 1, 1, 1), float("s", B, 1, 1, 1)];
  const y = input("y", { dtype: "int64", shape: [B] });
  const F = (z: Tensor, at: Tensor, to: Tensor) => mlp(config)(scope, { x: z, t: at, s: to, y });
  return { F, x, t, s, output: F(x, t, s), parameters: scope.parameters };
};
const feeds = { x: gaussian("x", [B, 2]), t: [0.9, 0.6, 0.4, 0.2], s: [0.1, 0.2, 0.3, 0.2], y: [0, 1, 2, 3] };
const filled = (config: MlpConfig) =>
  Object.fromEntries(
    build(config).parameters.map(({ name, tensor }) => [
      parameterInput(name),
      gaussian(name, tensor.shape).map((value) => 0.3 * value),
    ]),
  );

test("an untrained network says exactly 0", () => {
  const { output, parameters } = build(TINY);
  const initial = parameters.map(({ name, tensor, initialize }) => [
    parameterInput(name),
    initialize(key(1).fold(name), tensor.shape),
  ]);
  const values = referenceOf(output, { ...feeds, ...Object.fromEntries(initial) });
  expect(output.shape).toEqual([B, 2, 1, 1]);
  expect(values.every((value) => value === 0)).toBe(true);
});

test("names are a DiT's where the parts are the same; one time needs no embedding of t − s", () => {
  const shapes = (config: MlpConfig) =>
    Object.fromEntries(build(config).parameters.map(({ name, tensor }) => [name, tensor.shape]));
  const all = shapes(TINY);
  const { depth, width } = TINY;
  expect(all).toMatchObject({
    "x_embedder.weight": [width, 18], // each of 2 coordinates and its 4 cosines and sines
    "t_embedder.mlp.0.weight": [width, 256],
    "s_embedder.mlp.2.weight": [width, width],
    "y_embedder.embedding_table.weight": [4, width],
    "blocks.1.fc1.weight": [2 * width, width],
    "blocks.1.fc2.weight": [width, 2 * width],
    "blocks.1.adaLN_modulation.1.weight": [3 * width, width],
    "final_layer.adaLN_modulation.1.weight": [2 * width, width],
    "final_layer.linear.weight": [2, width],
  });
  // weight and bias of x_embedder, of two layers per time, of three per block, of the last two; the label table
  expect(Object.keys(all)).toHaveLength(2 + 2 * 4 + 1 + depth * 6 + 4);
  const withoutS = Object.keys(all).filter((name) => !name.startsWith("s_embedder"));
  expect(Object.keys(shapes({ ...TINY, times: 1 }))).toEqual(withoutS);
  const unconditional = shapes({ ...TINY, classes: 0, nullLabel: false });
  expect(unconditional["y_embedder.embedding_table.weight"]).toEqual([1, width]);
});

test("every input matters, and no sample sees another", () => {
  const { output } = build(TINY);
  const weights = filled(TINY);
  const base = referenceOf(output, { ...feeds, ...weights });
  for (const [name, values] of Object.entries({
    x: [...feeds.x].fill(1, 0, 2),
    t: [0.95, 0.6, 0.4, 0.2],
    s: [0, 0.2, 0.3, 0.2],
    y: [3, 1, 2, 3],
  })) {
    const changed = referenceOf(output, { ...feeds, ...weights, [name]: values });
    expect(changed.slice(0, 2), name).not.toEqual(base.slice(0, 2));
    expect(changed.slice(2), name).toEqual(base.slice(2));
  }
});

const run = testRuntime();

test("the tangent in x, t and s is the central difference, and ONNX Runtime agrees", async () => {
  const { F, x, t, s } = build(TINY);
  const [dx, dt, ds] = [float("dx", ...x.shape), float("dt", ...t.shape), float("ds", ...s.shape)];
  const [value, tangent] = jvp(F, [x, t, s], [dx, dt, ds]);
  const tangents = { dx: gaussian("dx", x.shape), dt: [1, -1, 0.5, 2], ds: [0.3, 0.7, -1, 1] };
  const all = { ...feeds, ...filled(TINY), ...tangents };
  const shifted = (by: number) =>
    referenceOf(value, {
      ...all,
      x: all.x.map((v, i) => v + by * all.dx[i]!),
      t: all.t.map((v, i) => v + by * all.dt[i]!),
      s: all.s.map((v, i) => v + by * all.ds[i]!),
    });
  const h = 1e-5;
  const [plus, minus] = [shifted(h), shifted(-h)];
  const wanted = plus.map((v, i) => (v - minus[i]!) / (2 * h));
  expect(distance(referenceOf(tangent, all), wanted)).toBeLessThan(1e-6);
  expect(distance((await run({ tangent }, all)).tangent!, wanted)).toBeLessThan(1e-4);
});

test.each([
  [{ width: 0 }, "model.width is 0; it must be at least 1"],
  [{ depth: 0 }, "model.depth is 0; it must be at least 1"],
])("%o is refused", (change, message) => {
  expect(() => checkNetwork({ ...TINY, ...change })).toThrow(message);
  expect(() => checkNetwork(TINY)).not.toThrow();
});
