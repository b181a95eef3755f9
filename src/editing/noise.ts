import type { PathName } from "../paths/index.js";

/** A part of a mixture: standard normal noise with a weight. */
export type NoisePart = { readonly noise: Float32Array; readonly weight: number };

/**
 * Noises mixed so that the result is standard normal again, whatever the weights.
 * z = Σ w_i z_i / √(Σ w_i²); for two it moves on the arc between them, as spherical interpolation does.
 */
export const mixNoise = (parts: readonly NoisePart[]): Float32Array => {
  const [first] = parts;
  if (parts.length === 1 && first) return first.weight < 0 ? first.noise.map((z) => -z) : first.noise;
  const norm = Math.hypot(...parts.map(({ weight }) => weight));
  const mixed = new Float32Array(first?.noise.length ?? 0);
  for (const { noise, weight } of parts)
    for (let i = 0; i < mixed.length; i++) mixed[i]! += (weight / norm) * noise[i]!;
  return mixed;
};

/** α(t), β(t) of the noising paths, as numbers: linear 1 − t, t; trig cos(πt/2), sin(πt/2). */
const COEFFICIENTS: Readonly<Record<PathName, (t: number) => readonly [number, number]>> = {
  linear: (t) => [1 - t, t],
  trig: (t) => [Math.cos((Math.PI / 2) * t), Math.sin((Math.PI / 2) * t)],
};

/** x_t = α(t) x_0 + β(t) ε */
export const noised = (path: PathName, t: number, image: Float32Array, eps: Float32Array): Float32Array => {
  const [alpha, beta] = COEFFICIENTS[path](t);
  return image.map((value, i) => alpha * value + beta * eps[i]!);
};

/** m a + (1 − m) b, for a mask m [H W] in [0, 1] over images [C H W]. */
export const composite = (mask: Float32Array, a: Float32Array, b: Float32Array): Float32Array =>
  a.map((value, i) => {
    const m = mask[i % mask.length]!;
    return m * value + (1 - m) * b[i]!;
  });
