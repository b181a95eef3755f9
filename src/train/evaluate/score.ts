import {
  BlockMoments,
  frechetDistance,
  type GaussianMoments,
  inceptionScore,
  kernelDistance,
  Moments,
  precisionRecall,
} from "../../eval/index.js";
import { shareCorrect } from "../judge.js";
import { readBlocks } from "./blocks.js";

/** Features that are compared pair by pair: this many of each set at most. */
const PAIRS = 5000;
/** Numbers in the covariances of all labels; labels beyond have no figure. */
const MOST_BY_CLASS = 2 ** 26;

/** Features of one set, in memory: at most PAIRS of them for what looks at pairs. */
type Gathered = {
  readonly moments: BlockMoments;
  /** Of the features that keep places, where there are some. */
  readonly spatial: BlockMoments | undefined;
  readonly byClass: ReadonlyMap<number, Moments>;
  readonly few: Float32Array;
  readonly probabilities: Float32Array;
  readonly labels: readonly number[];
  readonly found: readonly number[];
};

const addToClasses = (byClass: Map<number, Moments>, pool: Float32Array, labels: readonly number[], D: number): void =>
  labels.forEach((label, i) => {
    if (!byClass.has(label) && (byClass.size + 1) * D * D > MOST_BY_CLASS) return;
    const moments = byClass.get(label) ?? new Moments(D);
    byClass.set(label, moments.add(pool.subarray(i * D, (i + 1) * D)));
  });

/** Reads a folder of features once. Memory: the moments (of classes too) and PAIRS features. */
export const gather = async (folder: string, count: number, D: number): Promise<Gathered> => {
  const moments = new BlockMoments(D);
  const byClass = new Map<number, Moments>();
  const few = new Float32Array(Math.min(count, PAIRS) * D);
  const [labels, found]: [number[], number[]] = [[], []];
  let probabilities = new Float32Array(0);
  let spatial: BlockMoments | undefined;
  let [done, seen] = [0, 0];
  for await (const block of readBlocks(folder, count)) {
    const rows = block.pool.length / D;
    moments.addBlock(block.index, block.pool);
    if (block.spatial.length > 0) spatial ??= new BlockMoments(block.spatial.length / rows);
    spatial?.addBlock(block.index, block.spatial);
    addToClasses(byClass, block.pool, block.labels, D);
    if (done < few.length) few.set(block.pool.subarray(0, few.length - done), done);
    done += block.pool.length;
    if (probabilities.length === 0) probabilities = new Float32Array((block.probabilities.length / rows) * count);
    probabilities.set(block.probabilities, (block.probabilities.length / rows) * seen);
    seen += rows;
    labels.push(...block.labels);
    found.push(...block.found);
  }
  return { moments, spatial, byClass, few, probabilities, labels, found };
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
  readonly perClass?: readonly { readonly label: number; readonly frechet: number; readonly count: number }[];
};

const perClass = (samples: Gathered, reference: Gathered): NonNullable<Scores["perClass"]> =>
  [...samples.byClass]
    .sort(([a], [b]) => a - b)
    .flatMap(([label, moments]) => {
      const other = reference.byClass.get(label);
      return other && Math.min(other.count, moments.count) > 1
        ? [{ label, frechet: frechetDistance(moments, other), count: moments.count }]
        : [];
    });

/** Scores against features. */
const againstFeatures = (
  samples: Gathered,
  reference: Gathered,
  D: number,
): Omit<Scores, "frechet" | "spatialFrechet"> => {
  const [made, real] = [samples.few, reference.few].map((data) => ({ data, dimensions: D }));
  return {
    kernel: kernelDistance(real!, made!, { subsets: 20 }),
    ...(Math.min(samples.few.length, reference.few.length) > 3 * D && precisionRecall(real!, made!)),
    ...(samples.byClass.size > 1 && { perClass: perClass(samples, reference) }),
  };
};

/** Mean and covariance that were computed elsewhere. */
export type Statistics = { readonly moments: GaussianMoments; readonly spatial: GaussianMoments | undefined };

/** All scores of samples against features, or against mean and covariance alone. */
export const score = (samples: Gathered, reference: Gathered | Statistics): Scores => {
  const D = samples.moments.dimensions;
  const { probabilities, labels, found, spatial } = samples;
  const rows = samples.moments.count;
  return {
    frechet: frechetDistance(samples.moments, reference.moments),
    ...(spatial && reference.spatial && { spatialFrechet: frechetDistance(spatial, reference.spatial) }),
    ...("few" in reference && againstFeatures(samples, reference, D)),
    ...(probabilities.length > 0 && { inceptionScore: inceptionScore(probabilities, probabilities.length / rows) }),
    ...(found.length > 0 && labels.length > 0 && { accuracy: shareCorrect(found, labels) }),
  };
};

export type { Gathered };
