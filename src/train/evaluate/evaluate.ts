import { join } from "node:path";
import { UserError } from "../../errors.js";
import type { Products } from "../../eval/index.js";
import { openRuntime, type Runtime } from "../../runtime/index.js";
import { withFolder } from "../lock/index.js";
import { computeBlocks, mergeBlocks } from "./blocks.js";
import type { FeatureExtractor } from "./extractor.js";
import { metricName } from "./figures.js";
import type { ImageSet } from "./imageSet.js";
import type { DrawnOptions } from "./modelImages.js";
import { openExtractor, openImages, openSamples } from "./open.js";
import { blockProducts, engineProducts } from "./products.js";
import { distanceOfHalves, writeResults } from "./publish.js";
import { type Reference, readStatistics, referenceFeatures, saveStatistics } from "./reference.js";
import type { Results } from "./results.js";
import { gather, type Scores, type Statistics, score } from "./score.js";

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
  /** Images of each set that are compared pair by pair, for precision, recall and the kernel distance; 50,000 by default. */
  readonly pairs?: number;
  readonly draw: Omit<DrawnOptions, "count">;
  /** Blocks of part i of n alone, from 1: computes features and no scores. */
  readonly part?: { readonly index: number; readonly of: number };
  /** Output folders of parts. */
  readonly merge?: readonly string[];
  readonly threads?: number;
  /** When aborted, the block of images in progress is finished and kept, then the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, count: number, what: string) => void;
  /** Lines for people: what is waited for, what was taken over. */
  readonly onNote?: (text: string) => void;
};

/** Samples on the page. */
const SHOWN = 64;
const PAIRS = 50_000;

const openReference = async (
  { reference, cache, pairs = PAIRS, signal, onProgress, onNote }: EvaluateOptions,
  extractor: FeatureExtractor,
  dimensions: number,
  images: Products,
): Promise<Reference | Statistics> => {
  const known = /\.npz$/i.test(reference) ? await readStatistics(reference, extractor) : undefined;
  if (known) return known;
  return referenceFeatures(await openImages(reference, extractor), extractor, {
    cache,
    dimensions,
    pairs,
    images,
    ...(signal && { signal }),
    ...(onNote && { onNote }),
    ...(onProgress && { onProgress: (done, of) => onProgress(done, of, "reference") }),
  });
};

/** The same products, until the signal is aborted. */
const until = <T extends Products>(signal: AbortSignal | undefined, products: T): T => ({
  ...products,
  multiply: (a, b) => {
    signal?.throwIfAborted();
    return products.multiply(a, b);
  },
});

const scoreAll = async (
  options: EvaluateOptions,
  runtime: Runtime,
  extractor: FeatureExtractor,
  set: ImageSet,
  count: number,
): Promise<Results> => {
  const { out, pairs = PAIRS, signal } = options;
  const { pixels } = await set.read(0, Math.min(SHOWN, count));
  const { pool } = await extractor.extract(pixels.subarray(0, set.size * set.size * 3), 1, set.size);
  const D = pool.length;
  const products = {
    pairs: until(signal, await engineProducts(runtime, D)),
    images: until(signal, await blockProducts(runtime, D)),
  };
  let reference: Reference | Statistics | undefined;
  try {
    const samples = await gather(join(out, "features"), count, D, { pairs, images: products.images });
    reference = await openReference(options, extractor, D, products.images);
    await saveStatistics(join(out, "statistics.npz"), samples, extractor);
    signal?.throwIfAborted();
    const scores = await score(samples, "set" in reference ? reference.gathered : reference, products);
    const floor = "set" in reference ? await distanceOfHalves(reference.gathered.few, products.images) : undefined;
    const results = resultsOf(options, extractor, set, { scores, count, floor }, reference);
    return await writeResults(out, results, { size: set.size, samples: pixels }, samples, reference);
  } finally {
    products.pairs.release();
    products.images.release();
    if (reference && "set" in reference) await reference.set.close();
  }
};

const resultsOf = (
  { samples, reference: name, pairs = PAIRS }: EvaluateOptions,
  extractor: FeatureExtractor,
  set: ImageSet,
  { scores, count, floor }: { scores: Scores; count: number; floor: number | undefined },
  reference: Reference | Statistics,
): Results => {
  const data = "set" in reference ? reference : undefined;
  return {
    samples,
    reference: name,
    features: `${extractor.name}-${extractor.hash}`,
    metric: metricName(extractor),
    count,
    ...(data && { referenceCount: data.set.length }),
    ...(data && Math.max(count, data.set.length) > pairs && { pairs }),
    classes: data?.set.classes ?? set.classes,
    scores,
    ...(floor !== undefined && { floor }),
  };
};

const evaluateWith = async (options: EvaluateOptions, runtime: Runtime, extractor: FeatureExtractor) => {
  const { out, draw } = options;
  const set = await openSamples(options.samples, { ...draw, count: options.count }, runtime, extractor);
  try {
    const count = Math.min(options.count, set.length);
    if (count < 2)
      throw new UserError(`evaluate: ${set.name} has ${count} image; at least 2 are needed for a covariance`);
    return await withFolder(out, options, async (signal) => {
      const stoppable = { ...options, signal };
      await computeAll(stoppable, extractor, set, count);
      return options.part ? undefined : await scoreAll(stoppable, runtime, extractor, set, count);
    });
  } finally {
    await set.close();
  }
};

/** The features of the samples: those of parts that were computed elsewhere, and the others. */
const computeAll = async (
  { out, part, merge = [], signal, onProgress }: EvaluateOptions,
  extractor: FeatureExtractor,
  set: ImageSet,
  count: number,
): Promise<void> => {
  const folder = join(out, "features");
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
