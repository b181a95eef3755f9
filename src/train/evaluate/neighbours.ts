import { type Features, type Near, nearest } from "../../eval/index.js";
import { readBlocks } from "./blocks.js";
import type { ImageSet } from "./imageSet.js";

/** A sample and the reference images that are nearest to it: were it copied, its distance would be near 0. */
export type Neighbours = {
  readonly sample: number;
  readonly byPixels: Near;
  readonly byFeatures: Near;
};

/** Images that are compared at once. */
const AT_ONCE = 500;

const nearer = (best: readonly Near[], found: readonly Near[], offset: number): readonly Near[] =>
  found.map((near, i) =>
    best[i] === undefined || near.squared < best[i].squared
      ? { index: near.index + offset, squared: near.squared }
      : best[i],
  );

const unit = (pixels: Uint8Array): Float32Array => {
  const values = new Float32Array(pixels.length);
  for (let i = 0; i < values.length; i++) values[i] = pixels[i]! / 255; // `from` with a function takes ten times as long
  return values;
};

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

const byFeatures = async (features: Features, folder: string, count: number) => {
  const { dimensions } = features;
  let best: readonly Near[] = [];
  let first = 0;
  for await (const { pool } of readBlocks(folder, count)) {
    best = nearer(best, nearest(features, { data: pool, dimensions }), first);
    first += pool.length / dimensions;
  }
  return best;
};

/** The nearest reference images of the first samples.   pixels uint8 [n H W 3], features [n D] */
export const findNeighbours = async (
  pixels: Uint8Array,
  features: Features,
  reference: ImageSet,
  folder: string,
): Promise<readonly Neighbours[]> => {
  const near = await byPixels(pixels, reference.size, reference);
  const alike = await byFeatures(features, folder, reference.length);
  return near.map((found, sample) => ({ sample, byPixels: found, byFeatures: alike[sample]! }));
};

/** Pictures of the nearest images, row by row: the sample, the nearest by pixels, the nearest by features. */
export const neighbourRows = async (
  near: readonly Neighbours[],
  pixels: Uint8Array,
  set: ImageSet,
): Promise<Uint8Array> => {
  const each = set.size * set.size * 3;
  const rows = new Uint8Array(near.length * 3 * each);
  for (const { sample, byPixels, byFeatures } of near) {
    rows.set(pixels.subarray(sample * each, (sample + 1) * each), sample * 3 * each);
    rows.set((await set.read(byPixels.index, 1)).pixels, (sample * 3 + 1) * each);
    rows.set((await set.read(byFeatures.index, 1)).pixels, (sample * 3 + 2) * each);
  }
  return rows;
};
