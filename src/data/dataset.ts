import { UserError } from "../errors.js";

/** The system could not read a sample at this moment, as with too many files open: no reason to pass over the sample. */
export class PassingError extends UserError {
  override name = "PassingError";
}

/** A sample that cannot be used, which `data.onError: skip` would pass over. */
export class UnusableSample extends UserError {
  override name = "UnusableSample";
}

/** Size of every image of a dataset: 1 channel is grey, 3 are RGB; a point is one pixel with a channel a coordinate. */
export type ImageShape = { readonly channels: number; readonly height: number; readonly width: number };

/**
 * One labelled image: height·width·channels bytes, row by row, channels last, 0 – 255; or floats, channels first, that
 * are used as they are, or as a mean.
 */
export type Sample = {
  readonly pixels: Uint8Array | Float32Array;
  readonly label: number;
  /** Of a latent: a loader draws (mean + deviation · ε) · scale around the floats, afresh each time. */
  readonly spread?: { readonly deviation: Float32Array; readonly scale: number };
};

/** Labelled images by index. Reading an index twice gives the same sample. */
export interface Dataset {
  readonly name: string;
  readonly shape: ImageShape;
  /** Name of each label, from 0. */
  readonly classes: readonly string[];
  /** Number of samples, at least 1. */
  readonly length: number;
  read(index: number): Promise<Sample>;
  /**
   * Looks at what is cheap to look at, such as a file's header, and rejects as `read` would. A sample that passes can
   * still turn out to be damaged. Absent where there is nothing to look at beyond what opening the dataset did.
   */
  inspect?(index: number): Promise<void>;
  /** What a person would look for: the file that sample `index` comes from. */
  source(index: number): string;
  close(): Promise<void>;
}

/** Bytes of one image. */
export const bytesPerImage = ({ channels, height, width }: ImageShape): number => channels * height * width;

/** Keeps up to `limit` bytes of what was read, so that later epochs decode nothing. */
export const cached = (dataset: Dataset, limit = 512 * 2 ** 20): Dataset => {
  const kept = new Map<number, Sample>();
  const room = Math.floor(limit / bytesPerImage(dataset.shape));
  const read = async (index: number): Promise<Sample> => {
    const known = kept.get(index);
    if (known) return known;
    const sample = await dataset.read(index);
    if (kept.size < room) kept.set(index, sample);
    return sample;
  };
  return { ...dataset, read, source: (index) => dataset.source(index), close: () => dataset.close() };
};

/** Reads at most `atOnce` samples at a time: decoding leaves the other cores to training. */
export const limited = (dataset: Dataset, atOnce: number): Dataset => {
  const waiting: (() => void)[] = [];
  let free = Math.max(1, atOnce);
  const enter = (): Promise<void> | undefined => {
    if (free === 0) return new Promise((resolve) => waiting.push(resolve));
    free--;
    return undefined;
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const read = async (index: number): Promise<Sample> => {
    await enter();
    return dataset.read(index).finally(leave);
  };
  return { ...dataset, read, source: (index) => dataset.source(index), close: () => dataset.close() };
};
