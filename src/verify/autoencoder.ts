import type { HostArray, Shape } from "../graph/dtype.js";
import { type AutoencoderConfig, decode, downscaling, encode, SD_VAE } from "../models/autoencoder.js";
import { parameterInput, Scope } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { input } from "../ops/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { fill } from "./fill.js";
import { type Check, type Fixture, float32Of, json, numbersOf, relative, relativeToLargest } from "./fixture.js";

type Setting = {
  readonly widths: readonly number[];
  readonly groups: number;
  readonly sizes: readonly number[];
  /** Of every result each `stride`-th number is stored. */
  readonly stride: number;
};

/** Matrices keep the variance of what they multiply, norms scale by about 1, biases are small. */
const filledWeight = (name: string, shape: Shape): Float32Array<ArrayBuffer> => {
  if (shape.length >= 2) return fill(name, shape, Math.sqrt(3 / shape.slice(1).reduce((n, d) => n * d, 1)));
  const values = fill(name, shape, 0.1);
  return /norm.*weight$/.test(name) ? values.map((value) => 1 + value) : values;
};

const filledWeights = (scope: Scope): Record<string, HostArray> =>
  Object.fromEntries(
    scope.parameters.map(({ name, tensor }) => [parameterInput(name), filledWeight(name, tensor.shape)]),
  );

const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));

const compare = (fixture: Fixture, name: string, got: Float32Array, stride: number): Check[] => [
  {
    name,
    error: relativeToLargest(
      got.filter((_, i) => i % stride === 0),
      float32Of(fixture, name),
    ),
    tolerance: 1e-4,
  },
  { name: `${name}.norm`, error: relative(norm(got), numbersOf(fixture, `${name}.norm`)[0]!), tolerance: 1e-5 },
];

const sizeChecks = async (fixture: Fixture, runtime: Runtime, setting: Setting, size: number): Promise<Check[]> => {
  const config: AutoencoderConfig = { ...SD_VAE, widths: setting.widths, groups: setting.groups };
  const cells = size / downscaling(config);
  const x = input("x", { dtype: "float32", shape: [1, config.channels, size, size] });
  const z = input("z", { dtype: "float32", shape: [1, config.latentChannels, cells, cells] });
  const [encoder, decoder] = [new Scope(), new Scope()];
  const latents = await evaluate(runtime, lower("encode", encode(config)(encoder, x)), {
    ...filledWeights(encoder),
    x: fill("vae.image", x.shape, 1),
  });
  const images = await evaluate(runtime, lower("decode", { image: decode(config)(decoder, z) }), {
    ...filledWeights(decoder),
    z: fill("vae.latent", z.shape, Math.sqrt(3)),
  });
  return Object.entries({ ...latents, ...images }).flatMap(([name, got]) =>
    compare(fixture, `${size}.${name}`, got as Float32Array, setting.stride),
  );
};

/** An autoencoder of any width with filled weights against diffusers' AutoencoderKL; scripts/fixtures/vae.py has the rule. */
export const autoencoder = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const setting = json<Setting>(fixture, "model");
  const checks: Check[] = [];
  for (const size of setting.sizes) checks.push(...(await sizeChecks(fixture, runtime, setting, size)));
  return checks;
};
