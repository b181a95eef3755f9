import { UserError } from "../errors.js";
import type { PathName } from "../paths/index.js";

/** A part of a mixture: standard normal noise with a weight. */
export type NoisePart = { readonly noise: Float32Array; readonly weight: number };

const requireSame = (what: string, length: number, wanted: number): void => {
  if (length !== wanted) throw new UserError(`${what} has ${length} numbers; it must have ${wanted}`);
};

/**
 * Independent noises mixed so that the result is standard normal again, whatever the weights: z = Σ w_i z_i / √(Σ w_i²). For
 * two with weights cos and sin of an angle it is spherical interpolation up to their correlation, which is small: about
 * 1/√n for n numbers. Throws a `UserError` for no parts, weights that are all 0, and unequal lengths.
 */
export const mixNoise = (parts: readonly NoisePart[]): Float32Array => {
  const [first] = parts;
  if (!first || parts.every(({ weight }) => weight === 0))
    throw new UserError(`noise: ${first ? "all weights are 0" : "there are no parts"}; one must count`);
  for (const { noise } of parts) requireSame("noise", noise.length, first.noise.length);
  if (parts.length === 1) return first.weight < 0 ? first.noise.map((z) => -z) : first.noise;
  const norm = Math.hypot(...parts.map(({ weight }) => weight));
  const mixed = new Float32Array(first.noise.length);
  for (const { noise, weight } of parts)
    for (let i = 0; i < mixed.length; i++) mixed[i]! += (weight / norm) * noise[i]!;
  return mixed;
};

/** α(t), β(t) of the noising paths, as numbers: linear 1 − t, t; trig cos(πt/2), sin(πt/2). */
const COEFFICIENTS: Readonly<Record<PathName, (t: number) => readonly [number, number]>> = {
  linear: (t) => [1 - t, t],
  trig: (t) => [Math.cos((Math.PI / 2) * t), Math.sin((Math.PI / 2) * t)],
};

/** x_t = α(t) x_0 + β(t) ε, t in [0, 1]: 0 is the image, 1 is noise. Throws a `UserError` for another t and unequal lengths. */
export const noised = (path: PathName, t: number, image: Float32Array, eps: Float32Array): Float32Array => {
  if (!(t >= 0 && t <= 1)) throw new UserError(`strength is ${t}; it must be from 0 to 1`);
  requireSame("noise", eps.length, image.length);
  const [alpha, beta] = COEFFICIENTS[path](t);
  return image.map((value, i) => alpha * value + beta * eps[i]!);
};

/** Throws a `UserError` where a mask [H W] does not fit an image of so many numbers. */
export const requireMask = (mask: Float32Array, length: number): void => {
  if (mask.length === 0 || length % mask.length !== 0)
    throw new UserError(`the mask has ${mask.length} numbers; an image of ${length} needs one for each pixel`);
};

/**
 * m a + (1 − m) b, for a mask m [H W] in [0, 1] over images [C H W]; where m is 0 exactly b. Throws a `UserError` for a mask
 * that does not fit.
 */
export const composite = (mask: Float32Array, a: Float32Array, b: Float32Array): Float32Array => {
  requireSame("the other image", b.length, a.length);
  requireMask(mask, a.length);
  return a.map((value, i) => {
    const m = mask[i % mask.length]!;
    return m === 0 ? b[i]! : m * value + (1 - m) * b[i]!;
  });
};
