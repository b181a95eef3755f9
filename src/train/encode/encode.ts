import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesPerImage, type Dataset, type Sample } from "../../data/index.js";
import { type LatentsHeader, writeLatents } from "../../data/latents/hdf5.js";
import { UserError } from "../../errors.js";
import { isPresent } from "../../files/index.js";
import type { Encoder } from "../autoencoder.js";
import { withLock } from "../lock/index.js";
import { RowStore } from "./rows.js";

/** A share of the images: those from ⌊(i−1)·N/n⌋ up to ⌊i·N/n⌋, i from 1. */
export type Part = { readonly i: number; readonly n: number };

export type EncodeOptions = {
  /** The HDF5 file to make. */
  readonly out: string;
  /** Encode each image mirrored too; the mirrored rows come after all others. */
  readonly flip: boolean;
  readonly part?: Part;
  readonly onProgress?: (done: number, total: number) => void;
  /**
   * When aborted, the image in hand is finished and kept: the same call resumes after it. While the file is put together
   * from rows that are all there, the signal's reason is thrown.
   */
  readonly signal?: AbortSignal;
  /** Lines for people: what is waited for, what was taken over. */
  readonly onNote?: (text: string) => void;
};

/** Bytes of rows that are held at once when the file is put together. */
const SLAB = 2 ** 24;
const LABEL_BYTES = 8;
/** Attributes beyond this size do not fit an HDF5 header. */
const LARGEST_ATTRIBUTE = 60_000;

export const rangeOf = (length: number, { i, n }: Part): readonly [first: number, last: number] => [
  Math.floor(((i - 1) * length) / n),
  Math.floor((i * length) / n),
];

/** Bytes [H W C] as floats [C H W] in [−1, 1], mirrored on demand. */
const floatsOf = ({ pixels }: Sample, { shape }: Dataset, mirrored: boolean): Float32Array => {
  const { channels, height, width } = shape;
  const out = new Float32Array(bytesPerImage(shape));
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        out[(c * height + y) * width + x] =
          pixels[(y * width + (mirrored ? width - 1 - x : x)) * channels + c]! / 127.5 - 1;
  return out;
};

/** One row: the label, then mean and deviation of the image, and of its mirror image where that is asked for. */
const encodeRow = async (dataset: Dataset, index: number, encoder: Encoder, flip: boolean): Promise<Uint8Array> => {
  const sample = await dataset.read(index);
  const parts: Uint8Array[] = [new Uint8Array(BigInt64Array.of(BigInt(sample.label)).buffer)];
  for (const mirrored of flip ? [false, true] : [false]) {
    const { mean, deviation } = await encoder.encode(floatsOf(sample, dataset, mirrored), 1);
    for (const values of [mean, deviation])
      parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return Buffer.concat(parts);
};

/** Pieces of the file: for each orientation the rows in order, in slabs. */
async function* piecesOf(rows: RowStore, orientations: number, latentBytes: number) {
  const atOnce = Math.max(1, Math.floor(SLAB / rows.rowBytes));
  for (let o = 0; o < orientations; o++)
    for (let first = 0; first < rows.length; first += atOnce) {
      const last = Math.min(rows.length, first + atOnce);
      const bytes = await rows.read(first, last);
      const slab = new Uint8Array((last - first) * latentBytes);
      for (let k = 0; k < last - first; k++) {
        const start = k * rows.rowBytes + LABEL_BYTES + o * latentBytes;
        slab.set(bytes.subarray(start, start + latentBytes), k * latentBytes);
      }
      yield { first: o * rows.length + first, rows: new Float32Array(slab.buffer) };
    }
}

const labelsOf = async (rows: RowStore, orientations: number): Promise<BigInt64Array<ArrayBuffer>> => {
  const labels = new BigInt64Array(rows.length * orientations);
  for (let i = 0; i < rows.length; i++) {
    const bytes = await rows.read(i, i + 1);
    const [label] = new BigInt64Array(bytes.slice(0, LABEL_BYTES).buffer);
    for (let o = 0; o < orientations; o++) labels[o * rows.length + i] = label!;
  }
  return labels;
};

const attributesOf = (dataset: Dataset, encoder: Encoder, flip: boolean): Record<string, string> => {
  const classes = JSON.stringify(dataset.classes);
  return { vae: encoder.hash, flip: flip ? "both" : "none", ...(classes.length < LARGEST_ATTRIBUTE && { classes }) };
};

type Pieces = Parameters<typeof writeLatents>[2];

async function* until(signal: AbortSignal | undefined, pieces: Pieces): Pieces {
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    yield piece;
  }
}

/** Writes a file of latents whole or not at all; the signal's reason is thrown when it is aborted. */
export const writeLatentsFile = async (
  out: string,
  header: LatentsHeader,
  pieces: Pieces,
  signal?: AbortSignal,
): Promise<void> => {
  const temporary = `${out}.${process.pid}.tmp`;
  try {
    await writeLatents(temporary, header, until(signal, pieces));
    await rename(temporary, out);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
};

export const requireNew = (out: string): void => {
  if (isPresent(out)) throw new UserError(`encode: --out ${out} is there already; choose another, or remove it`);
};

/** Does the work that makes `out`, which must not be there, while this call alone is at it. */
export const making = async <T>(
  out: string,
  options: Pick<EncodeOptions, "signal" | "onNote">,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  requireNew(out);
  await mkdir(dirname(out), { recursive: true });
  return withLock(`${out}.lock`, out, options, (signal) => {
    requireNew(out); // another process may have just made it
    return work(signal);
  });
};

/**
 * Encodes a dataset of images into one HDF5 file. Rows are kept beside the file as they are made; the same call resumes after
 * a kill, and the file is the same to the byte. Images go through one at a time, so it does not depend on how the
 * work was split. Returns the number of rows, or undefined when it was interrupted.
 */
export const encodeDataset = async (
  dataset: Dataset,
  encoder: Encoder,
  options: EncodeOptions,
): Promise<number | undefined> => {
  requireNew(options.out);
  const part = options.part ?? { i: 1, n: 1 };
  const [first, last] = rangeOf(dataset.length, part);
  if (first === last)
    throw new UserError(`encode: part ${part.i}/${part.n} of ${dataset.length} images is empty; take fewer parts`);
  return making(options.out, options, (signal) => encodePart(dataset, encoder, { ...options, part, signal }));
};

const encodePart = async (
  dataset: Dataset,
  encoder: Encoder,
  { out, flip, part, onProgress, signal }: EncodeOptions & { readonly part: Part },
): Promise<number | undefined> => {
  const [first, last] = rangeOf(dataset.length, part);
  const [channels, side] = encoder.latent;
  const [orientations, latentBytes] = [flip ? 2 : 1, 4 * 2 * channels * side * side];
  const identity = { images: dataset.name, count: dataset.length, shape: dataset.shape, part, flip, vae: encoder.hash };
  const rows = await RowStore.open(out, identity, LABEL_BYTES + orientations * latentBytes);
  try {
    onProgress?.(rows.length, last - first);
    for (let index = first + rows.length; index < last && !signal?.aborted; index++) {
      await rows.append(await encodeRow(dataset, index, encoder, flip));
      onProgress?.(rows.length, last - first);
    }
    if (rows.length < last - first) return undefined;
    const labels = await labelsOf(rows, orientations);
    const attributes = attributesOf(dataset, encoder, flip);
    const header = { amount: labels.length, channels: 2 * channels, side, labels, attributes };
    await writeLatentsFile(out, header, piecesOf(rows, orientations, latentBytes), signal);
    await rows.remove();
    return labels.length;
  } finally {
    await rows.close();
  }
};
