import { threefry2x32 } from "./threefry.js";

/**
 * A key from which draws are made: a pure function of what was folded into it, so a run is the same on one
 * machine or four, and after a resume. `key(seed).fold("noise").fold(step).fold(sample).normal(n)`.
 */
export interface Key {
  /** A new key that depends on this one and on `word`: a purpose by name, or a non-negative integer below 2^53. */
  fold(word: string | number): Key;
  /** `n` draws from [0, 1), multiples of 2^-24. */
  uniform(n: number): Float32Array<ArrayBuffer>;
  /** `n` draws from N(0, 1) (Box–Muller on the uniform bits). */
  normal(n: number): Float32Array<ArrayBuffer>;
  /** `n` integers uniform in [0, bound), bound ≤ 2^32. */
  integers(n: number, bound: number): Uint32Array<ArrayBuffer>;
  /** `n` draws that are 1 with a probability, a multiple of 2^-16, and else 0. */
  bernoulli(n: number, probability: number): Uint8Array<ArrayBuffer>;
  /** A uniformly random order of 0 … n−1 (Fisher–Yates). */
  permutation(n: number): Uint32Array<ArrayBuffer>;
}

const TWO_POW_32 = 2 ** 32;

const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
};

const fold = (k0: number, k1: number, word: string | number): Key => {
  // Strings and integers live in different halves of the counter space, so fold("1") differs from fold(1).
  const [low, high] =
    typeof word === "string"
      ? [fnv1a(word), 0x80000000 | (word.length & 0xffff)]
      : [(word % TWO_POW_32) >>> 0, Math.floor(word / TWO_POW_32)];
  const [a, b] = threefry2x32(k0, k1, low, high >>> 0);
  return keyOf(a, b);
};

const bits = (k0: number, k1: number, n: number): Uint32Array<ArrayBuffer> => {
  const out = new Uint32Array(n + (n & 1));
  for (let i = 0; i < out.length; i += 2) {
    const [a, b] = threefry2x32(k0, k1, i >>> 1, 0xffffffff);
    out[i] = a;
    out[i + 1] = b;
  }
  return out;
};

const uniform = (k0: number, k1: number, n: number): Float32Array<ArrayBuffer> => {
  const source = bits(k0, k1, n);
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = (source[i]! >>> 8) / 2 ** 24;
  return out;
};

const normal = (k0: number, k1: number, n: number): Float32Array<ArrayBuffer> => {
  const source = bits(k0, k1, n);
  const out = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((source[i]! + 0.5) / TWO_POW_32)); // u in (0, 1): the logarithm is finite
    const angle = (2 * Math.PI * source[i + 1]!) / TWO_POW_32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < n) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
};

const bernoulli = (k0: number, k1: number, n: number, probability: number): Uint8Array<ArrayBuffer> => {
  const source = bits(k0, k1, Math.ceil(n / 2));
  const limit = Math.round(probability * 2 ** 16);
  return new Uint8Array(n).map((_, i) => Number(((source[i >>> 1]! >>> (16 * (i & 1))) & 0xffff) < limit));
};

const permutation = (k0: number, k1: number, n: number): Uint32Array<ArrayBuffer> => {
  const source = bits(k0, k1, n);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((source[i]! / TWO_POW_32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
};

const keyOf = (k0: number, k1: number): Key => ({
  fold: (word) => fold(k0, k1, word),
  uniform: (n) => uniform(k0, k1, n),
  normal: (n) => normal(k0, k1, n),
  integers: (n, bound) =>
    Uint32Array.from(bits(k0, k1, n).subarray(0, n), (word) => Math.floor((word / TWO_POW_32) * bound)),
  bernoulli: (n, probability) => bernoulli(k0, k1, n, probability),
  permutation: (n) => permutation(k0, k1, n),
});

/** The root key of a seed: a non-negative integer below 2^53. */
export const key = (seed: number): Key => keyOf((seed % TWO_POW_32) >>> 0, Math.floor(seed / TWO_POW_32) >>> 0);
