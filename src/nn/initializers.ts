import { type Shape, sizeOf } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Key } from "../random/random.js";

/** The first value of a parameter, drawn from a key of its own. */
export type Initializer = (key: Key, shape: Shape) => Float32Array<ArrayBuffer>;

/** All elements 0. */
export const zerosInit: Initializer = (_, shape) => new Float32Array(sizeOf(shape));

/** All elements 1. */
export const onesInit: Initializer = (_, shape) => new Float32Array(sizeOf(shape)).fill(1);

/** N(0, deviation²). */
export const normalInit =
  (deviation: number): Initializer =>
  (key, shape) =>
    key.normal(sizeOf(shape)).map((z) => z * deviation);

/**
 * Uniform in ±√(6 / (fan in + fan out)), the shape read as a matrix [out, everything else].
 * Glorot & Bengio 2010; `nn.init.xavier_uniform_` of PyTorch on a linear weight.
 */
export const xavierUniform: Initializer = (key, shape) => {
  const fanOut = nth(shape, 0);
  const bound = Math.sqrt(6 / (sizeOf(shape) / fanOut + fanOut));
  return key.uniform(sizeOf(shape)).map((u) => (2 * u - 1) * bound);
};

/** The same for a convolution [O C k k], as PyTorch counts: both fans times k², and a gain. */
export const convXavier =
  (gain = 1): Initializer =>
  (key, shape) => {
    const [outer, inner] = [nth(shape, 0), nth(shape, 1)];
    const bound = gain * Math.sqrt(6 / ((outer + inner) * sizeOf(shape.slice(2))));
    return key.uniform(sizeOf(shape)).map((u) => (2 * u - 1) * bound);
  };
