/** What to draw, alike over HTTP, in Node and in a page: the same request gives the same images. */
export type GenerateOptions = {
  /** Number of images; default 1. */
  readonly count?: number;
  /** Labels to draw in turn; by default every label of the model in turn. */
  readonly labels?: readonly number[];
  /** Seed of the noise, a whole number from 0; default 0. Image i of a seed is always the same. */
  readonly seed?: number;
  /** Steps of the sampler; by default as many as the method usually takes, 1 for one-step models. */
  readonly steps?: number;
};

/** Sample `index` (by default 0) of a seed's noise, with its weight (by default 1) in a mixture. */
export type SeedPart = { readonly seed: number; readonly index?: number; readonly weight?: number };

/** Images each with a label and a mixture of noises of its own, in place of count, labels and seed. */
export type MixedImages = {
  readonly images?: readonly { readonly label?: number; readonly noise: readonly SeedPart[] }[];
};

/** How an image is edited. */
export type EditOptions = {
  /** [C H W] in [−1, 1]. */
  readonly image: Float32Array;
  /** How much of it becomes noise, t in [0, 1]: 0 returns it, 1 draws anew. */
  readonly strength: number;
  readonly label?: number;
  /** Seed of the noise; default 0. */
  readonly seed?: number;
  /** [H W]: 1 where the image may change, 0 where it stays. */
  readonly mask?: Float32Array;
  /** Rounds, at least 1; default 1. With a mask, more of them blend its edge better. */
  readonly steps?: number;
};
