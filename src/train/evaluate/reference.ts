import { join } from "node:path";
import { UserError } from "../../errors.js";
import type { GaussianMoments } from "../../eval/index.js";
import { encodeNpz, type NpyArray } from "../../formats/npz.js";
import { writeFileAtomically } from "../files.js";
import { withFolder } from "../lock/index.js";
import { computeBlocks, hasBlocks } from "./blocks.js";
import type { FeatureExtractor } from "./extractor.js";
import type { ImageSet } from "./imageSet.js";
import { openNpz } from "./npzFile.js";
import { type Gathered, type GatherOptions, gather, type Statistics } from "./score.js";

const FIELD = "inception";

const extractorName = ({ name, hash }: FeatureExtractor): string => `${name}-${hash}`;

const arraysOf = ({ dimensions: D, mean, covariance }: GaussianMoments, suffix: string): Record<string, NpyArray> => ({
  [`mu${suffix}`]: { shape: [D], data: mean },
  [`sigma${suffix}`]: { shape: [D, D], data: covariance.data },
});

/** Writes mu and sigma (and mu_s, sigma_s) as the official evaluator has them, with the extractor that they are of. */
export const saveStatistics = (
  path: string,
  { moments, spatial }: Statistics,
  extractor: FeatureExtractor,
): Promise<void> => {
  const name = new TextEncoder().encode(extractorName(extractor));
  return writeFileAtomically(
    path,
    encodeNpz({
      ...arraysOf(moments, ""),
      ...(spatial && arraysOf(spatial, "_s")),
      extractor: { shape: [name.length], data: name },
    }),
  );
};

type NpzFile = Awaited<ReturnType<typeof openNpz>>;

const readGaussian = async (file: NpzFile, path: string, suffix: string): Promise<GaussianMoments | undefined> => {
  const names = [`mu${suffix}`, `sigma${suffix}`] as const;
  if (!names.every((name) => file.names.includes(name))) return undefined;
  const [mu, sigma] = [await file.array(names[0]), await file.array(names[1])];
  const D = mu.data.length;
  if (sigma.data.length !== D * D)
    throw new UserError(
      `${path}: ${names[0]} has ${D} numbers, ${names[1]} is [${sigma.shape.join(", ")}]; it must be [${D}, ${D}]`,
    );
  const covariance = { size: D, data: Float64Array.from(sigma.data, Number) };
  return { dimensions: D, mean: Float64Array.from(mu.data, Number), covariance };
};

/** mu and sigma (and mu_s, sigma_s) of an .npz file; undefined where it has none, but images. */
export const readStatistics = async (path: string, extractor: FeatureExtractor): Promise<Statistics | undefined> => {
  const file = await openNpz(path);
  try {
    const moments = await readGaussian(file, path, "");
    if (!moments) return undefined;
    const own = file.names.includes("extractor")
      ? new TextDecoder().decode((await file.array("extractor")).data as Uint8Array)
      : FIELD;
    if (own !== extractorName(extractor) && own !== extractor.name)
      throw new UserError(
        `evaluate: the statistics in ${path} are of ${own} features; these are ${extractorName(extractor)}`,
      );
    return { moments, spatial: await readGaussian(file, path, "_s") };
  } finally {
    await file.close();
  }
};

/** Where the features of a dataset are kept: by what they are of. */
const cacheFolder = (cache: string, identity: string, extractor: FeatureExtractor): string =>
  join(cache, `${identity}-${extractorName(extractor)}`);

/** Images that samples are compared with: where their features are kept, and what is known of these. */
export type Reference = { readonly set: ImageSet; readonly folder: string; readonly gathered: Gathered };

export type ReferenceOptions = GatherOptions & {
  readonly cache: string;
  /** Numbers in a feature. */
  readonly dimensions: number;
  readonly onProgress?: (done: number, count: number) => void;
  readonly onNote?: (text: string) => void;
};

/** A reference's images as features, from the cache where they are there. */
export const referenceFeatures = async (
  set: ImageSet,
  extractor: FeatureExtractor,
  { cache, dimensions, onProgress, onNote, ...gathering }: ReferenceOptions,
): Promise<Reference> => {
  const folder = cacheFolder(cache, set.identity, extractor);
  const { signal } = gathering;
  const listeners = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const compute = () => computeBlocks(set, extractor, { folder, count: set.length, ...listeners });
  // Whole features need no lock, so that a cache may be read-only.
  await (hasBlocks(folder, set.length) ? compute() : withFolder(folder, { signal, onNote, wait: true }, compute));
  return { set, folder, gathered: await gather(folder, set.length, dimensions, gathering) };
};
