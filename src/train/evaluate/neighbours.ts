import { nearest } from "../../eval/index.js";
import { readBlocks } from "./blocks.js";
import type { ImageSet } from "./imageSet.js";

/** A sample and the reference images that are nearest to it: were it copied, its distance would be near 0. */
export type Neighbours = {
  readonly sample: number;
  readonly byPixels: { readonly index: number; readonly squared: number };
  readonly byFeatures: { readonly index: number; readonly squared: number };
};

/** Images that are compared at once. */
const AT_ONCE = 500;

type Near = { readonly index: number; readonly squared: number };

const nearer = (best: readonly Near[], found: readonly Near[], offset: number): readonly Near[] =>
  found.map((near, i) =>
    best[i] === undefined || near.squared < best[i].squared
      ? { index: near.index + offset, squared: near.squared }
      : best[i],
  );

const unit = (pixels: Uint8Array): Float32Array => Float32Array.from(pixels, (value) => value / 255);

/** By squared distance of pixels in [0, 1]. */
const byPixels = async (samples: Uint8Array, size: number, reference: ImageSet): Promise<readonly Near[]> => {
  const dimensions = size * size * 3;
  const wanted = { data: unit(samples), dimensions };
  let best: readonly Near[] = [];
  for (let first = 0; first < reference.length; first += AT_ONCE) {
    const { pixels } = await reference.read(first, Math.min(AT_ONCE, reference.length - first));
    best = nearer(best, nearest(wanted, { data: unit(pixels), dimensions }), first);
  }
  return best;
};

const byFeatures = async (features: Float32Array, D: number, folder: string, count: number) => {
  let best: readonly Near[] = [];
  let first = 0;
  for await (const { pool } of readBlocks(folder, count)) {
    best = nearer(best, nearest({ data: features, dimensions: D }, { data: pool, dimensions: D }), first);
    first += pool.length / D;
  }
  return best;
};

/** The nearest reference images of the first samples.   pixels uint8 [n H W 3], features [n D] */
export const findNeighbours = async (
  pixels: Uint8Array,
  features: Float32Array,
  D: number,
  reference: ImageSet,
  folder: string,
): Promise<readonly Neighbours[]> => {
  const near = await byPixels(pixels, reference.size, reference);
  const alike = await byFeatures(features, D, folder, reference.length);
  return near.map((found, sample) => ({ sample, byPixels: found, byFeatures: alike[sample]! }));
};
