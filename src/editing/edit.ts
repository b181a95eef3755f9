import { UserError } from "../errors.js";
import type { PathName } from "../paths/index.js";
import { key } from "../random/random.js";
import { composite, noised, requireMask } from "./noise.js";
import type { EditOptions } from "./options.js";

/** A trained method, as far as edits must know it. */
type Method = { readonly kind: string; readonly path?: PathName };

/** The path that edits put noise on along; undefined where the method has no solution function. */
export const editPath = ({ kind, path }: Method): PathName | undefined => {
  if (kind === "soflow") return path;
  return kind === "meanflow" || kind === "alpha-flow" ? "linear" : undefined;
};

/** One jump to data: x_t [C H W] at time t to f(x_t, t, 0). */
export type ToData = (x_t: Float32Array, t: number) => Promise<Float32Array>;

/** The noise of round i of an edit, N(0, 1). */
const roundNoise = (seed: number, round: number, length: number): Float32Array =>
  key(seed).fold("edit").fold(round).normal(length);

/**
 * Edits an image [C H W]: noise up to time `strength`, x_t = α(t) x + β(t) ε, then one jump to data. In more rounds the
 * result takes the image's place and the noise falls evenly: t_i = strength (1 − i/N). Under a mask, what must stay is put
 * back after every round, so that the next sees it in place. Throws a `UserError` for what does not fit.
 */
export const editImage = async (
  { image, mask, strength, seed = 0, steps = 1 }: Omit<EditOptions, "label">,
  path: PathName,
  toData: ToData,
): Promise<Float32Array> => {
  if (!(Number.isInteger(steps) && steps >= 1)) throw new UserError(`edit: steps is ${steps}; it must be at least 1`);
  if (mask) requireMask(mask, image.length);
  let current = image;
  for (let round = 0; round < steps; round++) {
    const t = strength * (1 - round / steps);
    const drawn = await toData(noised(path, t, current, roundNoise(seed, round, image.length)), t);
    current = mask ? composite(mask, drawn, image) : drawn;
  }
  return current;
};
