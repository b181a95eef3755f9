import { join } from "node:path";
import { UserError } from "../../errors.js";
import type { GaussianMoments } from "../../eval/index.js";
import { encodeNpz } from "../../formats/npz.js";
import { writeFileAtomically } from "../files.js";
import type { FeatureExtractor } from "./judgeFeatures.js";
import { openNpz } from "./npzFile.js";

const FIELD = "inception";

const extractorName = ({ name, hash }: FeatureExtractor): string => `${name}-${hash}`;

/** Writes mu and sigma as the official evaluator has them, with the extractor that they are of. */
export const saveStatistics = (path: string, moments: GaussianMoments, extractor: FeatureExtractor): Promise<void> => {
  const name = new TextEncoder().encode(extractorName(extractor));
  const D = moments.dimensions;
  return writeFileAtomically(
    path,
    encodeNpz({
      mu: { shape: [D], data: moments.mean },
      sigma: { shape: [D, D], data: moments.covariance.data },
      extractor: { shape: [name.length], data: name },
    }),
  );
};

/** mu and sigma of an .npz file; undefined where it has none, but images. */
export const readStatistics = async (
  path: string,
  extractor: FeatureExtractor,
): Promise<GaussianMoments | undefined> => {
  const file = await openNpz(path);
  try {
    if (!file.names.includes("mu") || !file.names.includes("sigma")) return undefined;
    const own = file.names.includes("extractor")
      ? new TextDecoder().decode((await file.array("extractor")).data as Uint8Array)
      : FIELD;
    if (own !== extractorName(extractor) && own !== extractor.name)
      throw new UserError(
        `evaluate: the statistics in ${path} are of ${own} features; these are ${extractorName(extractor)}`,
      );
    const [mu, sigma] = [await file.array("mu"), await file.array("sigma")];
    const D = mu.data.length;
    if (sigma.data.length !== D * D)
      throw new UserError(
        `${path}: mu has ${D} numbers, sigma is [${sigma.shape.join(", ")}]; it must be [${D}, ${D}]`,
      );
    const covariance = { size: D, data: Float64Array.from(sigma.data, Number) };
    return { dimensions: D, mean: Float64Array.from(mu.data, Number), covariance };
  } finally {
    await file.close();
  }
};

/** Where the features of a dataset are kept: by what they are of. */
export const cacheFolder = (cache: string, identity: string, extractor: FeatureExtractor): string =>
  join(cache, `${identity}-${extractorName(extractor)}`);
