/**
 * What no model, call or configuration goes beyond: far above anything published, and low enough that a mistaken number is
 * refused at once, not tried until memory ends. Inclusive.
 */
export const LIMITS = {
  /** Side of an image, in pixels or latent cells. */
  imageSize: 4096,
  channels: 1024,
  /** Numbers of a sample, channels × side × side: 256 MB in float32. */
  sampleNumbers: 2 ** 26,
  /** Patches of an image, each one token. */
  tokens: 2 ** 16,
  width: 2 ** 14,
  depth: 512,
  heads: 1024,
  /** Levels of a U-Net, and the multiplier of one. */
  levels: 12,
  multiplier: 64,
  /** Numbers that tell a network how an image was augmented. */
  augment: 64,
  classes: 1_000_000,
  /** Parameters of a network: 80 GB in float32. */
  parameters: 20_000_000_000,
  /** Steps of a sampler, and rounds of an edit. */
  steps: 100_000,
  /** Images in one call. */
  count: 10_000_000,
  /** Samples of one network evaluation, or of one training step. */
  batch: 1_000_000,
  /** Numbers of all images of a call, or of a training step's batch: 4 GiB in float32. */
  numbers: 2 ** 30,
  /** Training steps. */
  trainSteps: 100_000_000,
  /** Side of a square for each pixel, in PNG files. */
  scale: 1024,
  threads: 1024,
  /** Characters of a label's name. */
  nameLength: 1000,
} as const;

/** The most samples whose numbers together keep to `LIMITS.numbers`. */
export const mostSamples = (sampleNumbers: number): number => Math.max(1, Math.floor(LIMITS.numbers / sampleNumbers));

/** So many float32 numbers in words, such as `12.9 GB`. */
export const sizeText = (numbers: number): string => {
  const bytes = 4 * numbers;
  const [unit, name] = [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
  ].find(([size]) => bytes >= (size as number)) ?? [1e3, "kB"];
  return `${Number((bytes / (unit as number)).toPrecision(3))} ${name}`;
};
