import { parameterInput } from "../../dist/nn/index.js";
import { key } from "../../dist/random/random.js";
import { Generator } from "../../dist/train/generate.js";
import { openNetwork } from "../../dist/train/model.js";
import { describe } from "./training.mjs";

const count = (shape) => shape.reduce((n, d) => n * d, 1);

/** Normal weights of variance 1 / inputs, and biases 0: every part of the network has its full effect. */
export const randomWeights = ({ network }) =>
  Object.fromEntries(
    openNetwork(network).parameters.map(({ name, tensor: { shape } }) => {
      const scale = shape.length > 1 ? 1 / Math.sqrt(count(shape.slice(1))) : 0;
      return [
        parameterInput(name),
        key(0)
          .fold(name)
          .normal(count(shape))
          .map((z) => scale * z),
      ];
    }),
  );

/** One step from noise to images: `round` draws a batch. */
export const openSampling = async (runtime, { network, batch, batches = 1, precision = "float32" }) => {
  const description = describe({ network });
  const generator = await Generator.create(runtime, description, { batch, precision }, randomWeights(description));
  const labels = Array.from({ length: network.classes }, (_, i) => i);
  return async () => {
    let last;
    for await (const { images } of generator.generate({ count: batches * batch, labels, seed: 0 })) last ??= images;
    return last;
  };
};

/** The noise that those images were made from. */
export const noiseOf = ({ network, batch }) => {
  const size = network.channels * network.imageSize ** 2;
  return Array.from({ length: batch }, (_, i) => key(0).fold("sample").fold(0).fold(i).normal(size));
};
