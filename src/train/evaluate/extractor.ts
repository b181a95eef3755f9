/** What a network says of n images. */
export type Extracted = {
  /** [n dimensions]: what Fréchet distances are between. */
  readonly pool: Float32Array;
  /** [n …]: features that keep places, for sFID. */
  readonly spatial?: Float32Array;
  /** [n classes], each row adding to 1: for the Inception Score. */
  readonly probabilities?: Float32Array;
  /** [n]: the label that each image is taken for. */
  readonly labels?: Int32Array;
};

/** A network that turns images into features. */
export type FeatureExtractor = {
  /** Figures carry it: `FD-<name>`; of Inception's alone they are called FID. */
  readonly name: string;
  /** Of its weights: figures of different hashes are not comparable. */
  readonly hash: string;
  /** Side of the images that it takes; undefined where it scales any. */
  readonly size: number | undefined;
  /** Images that it likes to be given at once. */
  readonly batch: number;
  /** Features of n images, uint8 [n H W 3]. */
  readonly extract: (images: Uint8Array, n: number, size: number) => Promise<Extracted>;
  readonly release: () => void;
};
