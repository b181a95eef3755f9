import { decode, encode, SD_VAE } from "../../dist/models/autoencoder.js";
import { parameterInput, Scope } from "../../dist/nn/index.js";
import { lower } from "../../dist/onnx/index.js";
import { input } from "../../dist/ops/index.js";
import { key } from "../../dist/random/random.js";

const count = (shape) => shape.reduce((n, d) => n * d, 1);
const HALVES = {
  decode: { build: (scope, x) => ({ image: decode(SD_VAE)(scope, x) }), shape: (size) => [1, 4, size / 8, size / 8] },
  encode: { build: (scope, x) => encode(SD_VAE)(scope, x), shape: (size) => [1, 3, size, size] },
};

/** One half of sd-vae-ft-mse with random weights: `round` takes one image of `size`×`size` pixels through it. */
export const openAutoencoder = async (runtime, { half, size }) => {
  const { build, shape } = HALVES[half];
  const scope = new Scope();
  const x = input("x", { dtype: "float32", shape: shape(size) });
  const outputs = build(scope, x);
  const given = Object.fromEntries(
    scope.parameters.map(({ name, tensor: { shape: own } }) => {
      const scale = own.length > 1 ? 1 / Math.sqrt(count(own.slice(1))) : 0;
      const draws = key(0).fold(name).normal(count(own));
      return [parameterInput(name), draws.map((z) => scale * z)];
    }),
  );
  const executable = await runtime.compile(lower(half, outputs, { given }));
  const inputs = { x: runtime.tensor(x.type, key(1).normal(count(x.shape))) };
  const results = Object.fromEntries(
    Object.entries(executable.program.outputs).map(([name, type]) => [name, runtime.tensor(type)]),
  );
  return () => executable.run(inputs, results);
};
