/** Numbers of `count` images, row by row. */
export type Features = {
  /** [count size] */
  readonly pool: Float32Array;
  /** Features that know where things are, for sFID [count …]. */
  readonly spatial?: Float32Array;
  /** How probable each class is [count classes], each row summing to 1. */
  readonly probabilities?: Float32Array;
};

/** What turns images into features; its name and hash travel with every figure. */
export type FeatureExtractor = {
  readonly name: string;
  /** What a Fréchet distance on its features is called: FID for Inception's, FD-<name> for all others. */
  readonly metric: string;
  /** SHA-256 of the weights. */
  readonly hash: string;
  /** Numbers of an image in `pool`. */
  readonly size: number;
  /** The images that it reads. */
  readonly shape: { readonly channels: number; readonly size: number };
  /** Images at once. */
  readonly batch: number;
  /** Bytes [count S S C], count at most the batch → features. */
  readonly extract: (images: Uint8Array, count: number) => Promise<Features>;
  readonly close: () => Promise<void>;
};

/** Bytes [count S S C] as floats 0 … 255 in [batch C S S]; places beyond the last image stay 0. */
export const floatsOfBytes = (
  bytes: Uint8Array,
  count: number,
  batch: number,
  { channels, size }: FeatureExtractor["shape"],
): Float32Array<ArrayBuffer> => {
  const plane = size * size;
  const out = new Float32Array(batch * channels * plane);
  for (let i = 0; i < count; i++)
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < channels; c++) out[(i * channels + c) * plane + p] = bytes[(i * plane + p) * channels + c]!;
  return out;
};
