import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import { frechetDistance, Moments } from "../../eval/index.js";
import { openRuntime, type Runtime } from "../../runtime/index.js";
import { writeFileAtomically } from "../files.js";
import { openInception } from "../inception/extractor.js";
import { BLOCK, computeBlocks, mergeBlocks } from "./blocks.js";
import type { FeatureExtractor } from "./extractor.js";
import { type DrawnOptions, datasetImages, type ImageSet, modelImages, npzImages } from "./imageSet.js";
import { openFeatures } from "./judgeFeatures.js";
import { findNeighbours, type Neighbours } from "./neighbours.js";
import { cacheFolder, readStatistics, saveStatistics } from "./reference.js";
import { type Pictures, reportPage } from "./report.js";
import { type Gathered, gather, type Scores, type Statistics, score } from "./score.js";

export type EvaluateOptions = {
  /** A model (run folder, model folder, checkpoint), an .npz file of images, or a folder of images. */
  readonly samples: string;
  /** An .npz file of statistics or images, a preset or YAML file with data, a folder of images, or tar files. */
  readonly reference: string;
  /**
   * A folder of `soflow features train`; `inception`, whose weights are downloaded and kept, or a file of them (.pth, .pb); or
   * an extractor that is open.
   */
  readonly features: string | FeatureExtractor;
  readonly out: string;
  /** Where the features of references are kept. */
  readonly cache: string;
  /** Images; at most as many as there are, of a file or folder. */
  readonly count: number;
  readonly draw: Omit<DrawnOptions, "count">;
  /** Blocks of part i of n alone, from 1: computes features and no scores. */
  readonly part?: { readonly index: number; readonly of: number };
  /** Output folders of parts. */
  readonly merge?: readonly string[];
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, count: number, what: string) => void;
};

/** What results.json holds. */
export type Results = {
  readonly samples: string;
  readonly reference: string;
  readonly features: string;
  /** Name of the Fréchet distance: FID of Inception's features alone. */
  readonly metric: string;
  readonly count: number;
  readonly referenceCount?: number;
  readonly classes: readonly string[];
  readonly scores: Scores;
  /** The distance of the reference's one half to its other: what perfect samples of that many would score. */
  readonly floor?: number;
  readonly neighbours?: readonly Neighbours[];
};

const SHOWN = 64;
const NEIGHBOURS = 8;

const openSamples = (
  options: EvaluateOptions,
  runtime: Runtime,
  { size = 32 }: FeatureExtractor,
): Promise<ImageSet> => {
  const { samples, draw, count } = options;
  if (/\.npz$/i.test(samples)) return npzImages(samples);
  const isModel = ["config.json", "network.json", "checkpoints"].some((name) => existsSync(join(samples, name)));
  if (isModel || /\.safetensors$|latest$/.test(samples))
    return modelImages(runtime, samples, { ...draw, count }, BLOCK);
  return datasetImages(samples, size, "train");
};

const openReference = (reference: string, { size = 32 }: FeatureExtractor): Promise<ImageSet> =>
  /\.npz$/i.test(reference) ? npzImages(reference) : datasetImages(reference, size, "train");

type Reference = { readonly set: ImageSet; readonly folder: string; readonly gathered: Gathered };

/** A reference's images as features, from the cache where they are there. */
const referenceFeatures = async (
  options: EvaluateOptions,
  extractor: FeatureExtractor,
  D: number,
): Promise<Reference> => {
  const { reference, cache, signal, onProgress } = options;
  const set = await openReference(reference, extractor);
  const folder = cacheFolder(cache, set.identity, extractor);
  await computeBlocks(set, extractor, {
    folder,
    count: set.length,
    ...(signal && { signal }),
    onProgress: (done, of) => onProgress?.(done, of, "reference"),
  });
  return { set, folder, gathered: await gather(folder, set.length, D) };
};

const halves = (features: Float32Array, D: number): number | undefined => {
  const rows = Math.floor(features.length / D / 2);
  if (rows < 2) return undefined;
  const moments = (from: number): Moments => new Moments(D).add(features.subarray(from * D, (from + rows) * D));
  return frechetDistance(moments(0), moments(rows));
};

/** Pictures of the nearest images, row by row. */
const neighbourRows = async (near: readonly Neighbours[], pixels: Uint8Array, set: ImageSet): Promise<Uint8Array> => {
  const each = set.size * set.size * 3;
  const rows = new Uint8Array(near.length * 3 * each);
  for (const { sample, byPixels, byFeatures } of near) {
    rows.set(pixels.subarray(sample * each, (sample + 1) * each), sample * 3 * each);
    rows.set((await set.read(byPixels.index, 1)).pixels, (sample * 3 + 1) * each);
    rows.set((await set.read(byFeatures.index, 1)).pixels, (sample * 3 + 2) * each);
  }
  return rows;
};

const scoreAll = async (options: EvaluateOptions, extractor: FeatureExtractor, set: ImageSet, count: number) => {
  const folder = join(options.out, "features");
  const { pixels } = await set.read(0, Math.min(SHOWN, count));
  const { pool } = await extractor.extract(pixels.subarray(0, set.size * set.size * 3), 1, set.size);
  const D = pool.length;
  const samples = await gather(folder, count, D);
  const known = /\.npz$/i.test(options.reference) ? await readStatistics(options.reference, extractor) : undefined;
  const reference = known ?? (await referenceFeatures(options, extractor, D));
  await saveStatistics(join(options.out, "statistics.npz"), samples, extractor);
  const results = summary(options, extractor, set, samples, reference);
  return writeResults(options.out, results, { size: set.size, samples: pixels }, samples, reference);
};

const summary = (
  options: EvaluateOptions,
  extractor: FeatureExtractor,
  set: ImageSet,
  samples: Gathered,
  reference: Reference | Statistics,
): Results => {
  const data = "set" in reference ? reference : undefined;
  const floor = data && halves(data.gathered.few, samples.moments.dimensions);
  return {
    samples: options.samples,
    reference: options.reference,
    features: `${extractor.name}-${extractor.hash}`,
    metric: extractor.name === "inception" ? "FID" : `FD-${extractor.name}-${extractor.hash}`,
    count: samples.moments.count,
    ...(data && { referenceCount: data.set.length }),
    classes: data?.set.classes ?? set.classes,
    scores: score(samples, "set" in reference ? reference.gathered : reference),
    ...(floor !== undefined && { floor }),
  };
};

const writeResults = async (
  out: string,
  results: Results,
  pictures: Omit<Pictures, "neighbours">,
  samples: Gathered,
  reference: Reference | Statistics,
): Promise<Results> => {
  const data = "set" in reference && reference.set.size === pictures.size ? reference : undefined;
  const [D, each] = [samples.moments.dimensions, pictures.size ** 2 * 3];
  const few = pictures.samples.subarray(0, NEIGHBOURS * each);
  const features = samples.few.subarray(0, (few.length / each) * D);
  const near = data && (await findNeighbours(few, features, D, data.set, data.folder));
  const neighbours = data && near ? await neighbourRows(near, few, data.set) : undefined;
  if ("set" in reference) await reference.set.close();
  const all: Results = near ? { ...results, neighbours: near } : results;
  await writeFileAtomically(join(out, "index.html"), await reportPage(all, { ...pictures, neighbours }));
  await writeFileAtomically(join(out, "results.json"), `${JSON.stringify(all, null, 2)}\n`);
  return all;
};

const evaluateWith = async (options: EvaluateOptions, runtime: Runtime, extractor: FeatureExtractor) => {
  const { out, part, merge = [], signal, onProgress } = options;
  const set = await openSamples(options, runtime, extractor);
  try {
    const count = Math.min(options.count, set.length);
    if (count < 2)
      throw new UserError(`evaluate: ${set.name} has ${count} image; at least 2 are needed for a covariance`);
    const folder = join(out, "features");
    await mkdir(out, { recursive: true });
    await mergeBlocks(
      set,
      extractor,
      folder,
      merge.map((other) => join(other, "features")),
    );
    await computeBlocks(set, extractor, {
      folder,
      count,
      ...(part && { part }),
      ...(signal && { signal }),
      onProgress: (done, of) => onProgress?.(done, of, "samples"),
    });
    return part ? undefined : await scoreAll(options, extractor, set, count);
  } finally {
    await set.close();
  }
};

const openExtractor = (runtime: Runtime, features: string): Promise<FeatureExtractor> => {
  if (features === "inception") return openInception(runtime);
  return /\.(pth|pb)$/.test(features) ? openInception(runtime, { path: features }) : openFeatures(runtime, features);
};

/**
 * Evaluates samples: features block by block, kept in `out`, so that a killed run goes on and parts merge to the same
 * figures; then results.json, index.html and statistics.npz. Undefined for a part, which has no scores.
 */
export const evaluate = async (options: EvaluateOptions): Promise<Results | undefined> => {
  const runtime = await openRuntime(options.threads ? { threads: options.threads } : {});
  try {
    const { features } = options;
    const extractor = typeof features === "string" ? await openExtractor(runtime, features) : features;
    try {
      return await evaluateWith(options, runtime, extractor);
    } finally {
      if (typeof features === "string") extractor.release();
    }
  } finally {
    await runtime.close();
  }
};
