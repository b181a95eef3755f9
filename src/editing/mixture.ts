import { sampleNoise } from "../random/sampleNoise.js";
import { mixNoise } from "./noise.js";
import type { GenerateOptions, MixedImages, SeedPart } from "./options.js";

/** The noise of a mixture of seeds at move k, N(0, 1): every seed's own, mixed alike at every move. */
export const mixtureOf =
  (parts: readonly SeedPart[], length: number) =>
  (move: number): Float32Array =>
    mixNoise(
      parts.map(({ seed, index = 0, weight = 1 }) => ({ noise: sampleNoise(seed, index, move, length), weight })),
    );

/** An image to draw: its label and what its noise is mixed of. */
export type Wanted = { readonly label: number; readonly noise: readonly SeedPart[] };

/** The images that a request asks of a model with this many classes, 0 where it is unconditional. */
export const wantedImages = (
  { images, count = 1, seed = 0, labels }: GenerateOptions & MixedImages,
  classes: number,
): readonly Wanted[] =>
  images?.map(({ label = 0, noise }) => ({ label, noise })) ??
  Array.from({ length: count }, (_, i) => ({
    label: labels ? labels[i % labels.length]! : i % Math.max(1, classes),
    noise: [{ seed, index: i }],
  }));
