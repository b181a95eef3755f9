import { copyFile, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import { isPresent, readIfPresent } from "../../files/index.js";
import { joinFloats } from "../../formats/floats.js";
import { decodeNpz, encodeNpz, type NpyArray } from "../../formats/npz.js";
import { writeFileAtomically } from "../files.js";
import type { Extracted, FeatureExtractor } from "./extractor.js";
import type { ImageSet } from "./imageSet.js";

/** Images of a block: what is lost at most by a kill, and where parts may end. */
export const BLOCK = 500;

/** What is kept of a block of images. */
export type Block = {
  readonly pool: Float32Array;
  /** Features that keep places; empty where the extractor has none. */
  readonly spatial: Float32Array;
  readonly probabilities: Float32Array;
  readonly labels: readonly number[];
  /** What the extractor takes each image for; empty where it does not say. */
  readonly found: readonly number[];
};

export type BlockOptions = {
  readonly folder: string;
  /** The first `count` images of the set are used. */
  readonly count: number;
  /** Blocks of part i of n, from 1. */
  readonly part?: { readonly index: number; readonly of: number };
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, count: number) => void;
};

const pathOf = (folder: string, block: number): string => join(folder, `${String(block).padStart(6, "0")}.npz`);
const IDENTITY = "identity.json";

/** Features of n images, uint8 [n H W 3], batch by batch. */
export const extractAll = async (extractor: FeatureExtractor, pixels: Uint8Array, n: number, size: number) => {
  const each = size * size * 3;
  const parts: Extracted[] = [];
  for (let at = 0; at < n; at += extractor.batch) {
    const rows = Math.min(extractor.batch, n - at);
    parts.push(await extractor.extract(pixels.subarray(at * each, (at + rows) * each), rows, size));
  }
  return {
    pool: joinFloats(parts.map(({ pool }) => pool)),
    spatial: joinFloats(parts.map(({ spatial = new Float32Array(0) }) => spatial)),
    probabilities: joinFloats(parts.map(({ probabilities = new Float32Array(0) }) => probabilities)),
    found: parts.flatMap(({ labels = new Int32Array(0) }) => Array.from(labels)),
  };
};

const whole = (values: readonly number[]): NpyArray => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const floats = (data: Float32Array, n: number): NpyArray => ({ shape: [n, data.length / n], data });

const computeBlock = async (set: ImageSet, extractor: FeatureExtractor, first: number, n: number) => {
  const { pixels, labels } = await set.read(first, n);
  const { pool, spatial, probabilities, found } = await extractAll(extractor, pixels, n, set.size);
  const bad = pool.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new UserError(
      `evaluate: image ${first + Math.floor((bad * n) / pool.length)} of ${set.name} has a feature that is ${pool[bad]}; they must be finite`,
    );
  const [features, places, shares] = [pool, spatial, probabilities].map((data) => floats(data, n)) as [
    NpyArray,
    NpyArray,
    NpyArray,
  ];
  return encodeNpz({
    pool: features,
    spatial: places,
    probabilities: shares,
    labels: whole(labels),
    found: whole(found),
  });
};

/** Checks that a folder is of this set and extractor, or marks it so. */
const claim = async (folder: string, identity: string): Promise<void> => {
  const path = join(folder, IDENTITY);
  const known = await readIfPresent(path);
  if (known !== undefined && known !== identity)
    throw new UserError(
      `evaluate: ${folder} holds features of other images, settings or weights; give another --out, or remove it`,
    );
  if (known === undefined) {
    await mkdir(folder, { recursive: true });
    await writeFileAtomically(path, identity);
  }
};

const identityOf = (set: ImageSet, extractor: FeatureExtractor): string =>
  `${JSON.stringify({ images: set.identity, features: `${extractor.name}-${extractor.hash}`, block: BLOCK })}\n`;

/** The blocks of part i of n: whole ones, in order, so that parts together are one run. */
const blocksOf = (count: number, { index, of } = { index: 1, of: 1 }): number[] => {
  const blocks = Math.ceil(count / BLOCK);
  const [from, to] = [Math.floor((blocks * (index - 1)) / of), Math.floor((blocks * index) / of)];
  return Array.from({ length: to - from }, (_, i) => from + i);
};

/** Whether a folder holds a block for all of the first `count` images. */
export const hasBlocks = (folder: string, count: number): boolean =>
  blocksOf(count).every((block) => isPresent(pathOf(folder, block)));

/** Computes the features that are not in the folder yet, block by block: a killed run goes on where it was. */
export const computeBlocks = async (
  set: ImageSet,
  extractor: FeatureExtractor,
  { folder, count, part, signal, onProgress }: BlockOptions,
): Promise<void> => {
  if (extractor.size !== undefined && set.size !== extractor.size)
    throw new UserError(
      `evaluate: the images of ${set.name} are ${set.size}×${set.size}; ${extractor.name} takes ${extractor.size}×${extractor.size}`,
    );
  await claim(folder, identityOf(set, extractor));
  const blocks = blocksOf(count, part);
  for (const [done, block] of blocks.entries()) {
    signal?.throwIfAborted();
    const [first, path] = [block * BLOCK, pathOf(folder, block)];
    const n = Math.min(BLOCK, count - first);
    const rows = isPresent(path) ? (await readBlock(folder, block)).rows : 0;
    if (rows < n) await writeFileAtomically(path, await computeBlock(set, extractor, first, n));
    onProgress?.(Math.min(count, (done + 1) * BLOCK), Math.min(count, blocks.length * BLOCK));
  }
};

/** Copies the blocks of parts that were computed elsewhere, which must be of the same images and features. */
export const mergeBlocks = async (
  set: ImageSet,
  extractor: FeatureExtractor,
  folder: string,
  parts: readonly string[],
) => {
  await claim(folder, identityOf(set, extractor));
  for (const part of parts) {
    const identity = await readIfPresent(join(part, IDENTITY));
    if (identity !== identityOf(set, extractor))
      throw new UserError(
        identity === undefined
          ? `evaluate: ${part} is no part: ${IDENTITY} is missing`
          : `evaluate: ${part} is a part of other images, settings or features; parts must be of one evaluation`,
      );
    for (const name of await readdir(part))
      if (/^\d+\.npz$/.test(name)) await copyFile(join(part, name), join(folder, name));
  }
};

const readBlock = async (
  folder: string,
  block: number,
): Promise<Block & { rows: number; shape: readonly number[] }> => {
  const path = pathOf(folder, block);
  const { pool, spatial, probabilities, labels, found } = decodeNpz(await readFile(path), path);
  return {
    pool: pool!.data as Float32Array,
    spatial: spatial!.data as Float32Array,
    probabilities: probabilities!.data as Float32Array,
    labels: Array.from(labels!.data, Number),
    found: Array.from(found!.data, Number),
    rows: pool!.shape[0]!,
    shape: pool!.shape,
  };
};

/** The blocks of a folder in order, the last one cut to `count` images. */
export async function* readBlocks(folder: string, count: number): AsyncGenerator<Block & { readonly index: number }> {
  for (const index of blocksOf(count)) {
    const block = await readBlock(folder, index);
    const n = Math.min(BLOCK, count - index * BLOCK);
    const cut = (values: Float32Array): Float32Array => values.subarray(0, (values.length / block.rows) * n);
    const [labels, found] = [block.labels.slice(0, n), block.found.slice(0, n)];
    const [pool, spatial] = [cut(block.pool), cut(block.spatial)];
    yield { index, pool, spatial, probabilities: cut(block.probabilities), labels, found };
  }
}
