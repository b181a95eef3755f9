import { type Shape, sizeOf } from "../graph/dtype.js";

const TWO_POW_32 = 2 ** 32;

const seedOf = (name: string): number => {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
};

const mix = (x: number): number => {
  let z = x;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
};

/**
 * Numbers that both sides of a comparison can compute from a name: uniform in ±scale.
 * Seed: FNV-1a 32 of the name; element i (from 1): a mix of seed + i · 0x9E3779B9; computed in float64, then rounded.
 */
export const fill = (name: string, shape: Shape, scale: number): Float32Array<ArrayBuffer> => {
  const seed = seedOf(name);
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    const z = mix((seed + Math.imul(i + 1, 0x9e3779b9)) | 0);
    data[i] = ((2 * z) / TWO_POW_32 - 1) * scale;
  }
  return data;
};
