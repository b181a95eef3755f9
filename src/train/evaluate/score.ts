import {
  addFeatures,
  BlockMoments,
  type Features,
  frechetDistance,
  frechetOfFew,
  type GaussianMoments,
  type Interval,
  inceptionScore,
  kernelDistance,
  momentsOf,
  type Products,
  precisionRecall,
  shareInterval,
} from "../../eval/index.js";
import { shareCorrect } from "../judge.js";
import { BLOCK, readBlocks } from "./blocks.js";

/** What is known of one set's features; those of the first images stay in memory, for what looks at pairs. */
export type Gathered = {
  readonly moments: BlockMoments;
  /** Of the features that keep places, where there are some. */
  readonly spatial: BlockMoments | undefined;
  readonly few: Features;
  readonly probabilities: Float32Array;
  readonly labels: readonly number[];
  readonly found: readonly number[];
};

export type GatherOptions = {
  /** Images whose features stay in memory. */
  readonly pairs: number;
  /** Products over the images of a block. */
  readonly images: Products;
  /** When aborted, reading throws its reason. */
  readonly signal?: AbortSignal;
};

/** Reads a folder of features once. Memory: the moments, and the features of `pairs` images. */
export const gather = async (
  folder: string,
  count: number,
  D: number,
  { pairs, images: products, signal }: GatherOptions,
): Promise<Gathered> => {
  const moments = new BlockMoments(D);
  const few = new Float32Array(Math.min(count, pairs) * D);
  const [labels, found]: [number[], number[]] = [[], []];
  let probabilities = new Float32Array(0);
  let spatial: BlockMoments | undefined;
  let [done, seen] = [0, 0];
  for await (const block of readBlocks(folder, count)) {
    signal?.throwIfAborted();
    const rows = block.pool.length / D;
    const at = { first: block.index, width: BLOCK, products };
    await addFeatures(moments, { data: block.pool, dimensions: D }, at);
    const places = { data: block.spatial, dimensions: block.spatial.length / rows };
    if (places.data.length > 0) spatial = await addFeatures(spatial ?? new BlockMoments(places.dimensions), places, at);
    if (done < few.length) few.set(block.pool.subarray(0, few.length - done), done);
    done += block.pool.length;
    if (probabilities.length === 0) probabilities = new Float32Array((block.probabilities.length / rows) * count);
    probabilities.set(block.probabilities, (block.probabilities.length / rows) * seen);
    seen += rows;
    labels.push(...block.labels);
    found.push(...block.found);
  }
  return { moments, spatial, few: { data: few, dimensions: D }, probabilities, labels, found };
};

/** What is said of samples; what cannot be said of them is left out. */
export type Scores = {
  readonly frechet: number;
  /** The same on features that keep places: sFID with Inception. */
  readonly spatialFrechet?: number;
  readonly kernel?: { readonly mean: number; readonly deviation: number };
  readonly precision?: number;
  readonly recall?: number;
  readonly inceptionScore?: { readonly mean: number; readonly deviation: number };
  readonly accuracy?: number;
  /** Of the shares, were images drawn anew: 95 % of such intervals hold the true one. */
  readonly intervals?: { readonly [name in "precision" | "recall" | "accuracy"]?: Interval };
  readonly perClass?: readonly { readonly label: number; readonly frechet: number; readonly count: number }[];
};

/** The features in memory whose images have a label. */
const ofLabel = ({ few: { data, dimensions: D }, labels }: Gathered, label: number): Features => {
  const rows = [...Array(data.length / D).keys()].filter((i) => labels[i] === label);
  const own = new Float32Array(rows.length * D);
  for (const [at, row] of rows.entries()) own.set(data.subarray(row * D, (row + 1) * D), at * D);
  return { data: own, dimensions: D };
};

/** By covariances, or without them where there are fewer images than dimensions. */
const distanceOf = async (p: Features, q: Features, images: Products): Promise<number> => {
  const D = p.dimensions;
  if (Math.min(p.data.length, q.data.length) < D * D) return frechetOfFew(p, q);
  return frechetDistance(await momentsOf(p, BLOCK, images), await momentsOf(q, BLOCK, images));
};

const perClass = async (samples: Gathered, reference: Gathered, images: Products) => {
  const scores: { label: number; frechet: number; count: number }[] = [];
  for (const label of [...new Set(samples.labels)].sort((a, b) => a - b)) {
    const [own, other] = [ofLabel(samples, label), ofLabel(reference, label)];
    const count = own.data.length / own.dimensions;
    if (Math.min(count, other.data.length / own.dimensions) < 2) continue;
    scores.push({ label, frechet: await distanceOf(own, other, images), count });
  }
  return scores;
};

/** Neighbours that must lie beside an image for precision and recall. */
const NEIGHBOURS = 3;

const manifoldScores = async (real: Features, made: Features, products: Products) => {
  const D = real.dimensions;
  if (Math.min(real.data.length, made.data.length) <= NEIGHBOURS * D) return { intervals: {} };
  const { precision, recall } = await precisionRecall(real, made, { k: NEIGHBOURS, products });
  const [n, m] = [real.data.length / D, made.data.length / D];
  return { precision, recall, intervals: { precision: shareInterval(precision, m), recall: shareInterval(recall, n) } };
};

/** What scores are computed with: products of features, and over the images of a block. */
export type ScoreProducts = { readonly pairs: Products; readonly images: Products };

/** Scores against features. */
const againstFeatures = async (samples: Gathered, reference: Gathered, { pairs, images }: ScoreProducts) => ({
  kernel: await kernelDistance(reference.few, samples.few, { products: pairs }),
  ...(await manifoldScores(reference.few, samples.few, pairs)),
  ...(new Set(samples.labels).size > 1 && { perClass: await perClass(samples, reference, images) }),
});

const accuracyScores = ({ found, labels }: Gathered) => {
  if (found.length === 0 || labels.length === 0) return undefined;
  const accuracy = shareCorrect(found, labels);
  return { accuracy, interval: shareInterval(accuracy, labels.length) };
};

/** Mean and covariance that were computed elsewhere. */
export type Statistics = { readonly moments: GaussianMoments; readonly spatial: GaussianMoments | undefined };

/** All scores of samples against features, or against mean and covariance alone. */
export const score = async (
  samples: Gathered,
  reference: Gathered | Statistics,
  products: ScoreProducts,
): Promise<Scores> => {
  const { probabilities, spatial } = samples;
  const rows = samples.moments.count;
  const accuracy = accuracyScores(samples);
  const { intervals = {}, ...others } = "few" in reference ? await againstFeatures(samples, reference, products) : {};
  const all = { ...intervals, ...(accuracy && { accuracy: accuracy.interval }) };
  return {
    frechet: frechetDistance(samples.moments, reference.moments),
    ...(spatial && reference.spatial && { spatialFrechet: frechetDistance(spatial, reference.spatial) }),
    ...others,
    ...(probabilities.length > 0 && { inceptionScore: inceptionScore(probabilities, probabilities.length / rows) }),
    ...(accuracy && { accuracy: accuracy.accuracy }),
    ...(Object.keys(all).length > 0 && { intervals: all }),
  };
};
