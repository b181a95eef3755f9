import { key } from "./random.js";

/**
 * The noise of sample i at move k of a run, N(0, 1): a function of (seed, i, k) alone, whatever the batch, in Node and in a
 * browser alike. Move 0 is what a run starts from.
 */
export const sampleNoise = (seed: number, sample: number, move: number, size: number): Float32Array<ArrayBuffer> =>
  key(seed).fold("sample").fold(move).fold(sample).normal(size);
