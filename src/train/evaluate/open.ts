import { join } from "node:path";
import { isPresent } from "../../files/index.js";
import type { Runtime } from "../../runtime/index.js";
import { openInception } from "../inception/extractor.js";
import type { FeatureExtractor } from "./extractor.js";
import { dataSource, datasetImages, type ImageSet, npzImages } from "./imageSet.js";
import { openFeatures } from "./judgeFeatures.js";
import { type DrawnOptions, modelImages } from "./modelImages.js";

/** Features by what a user calls them: `inception`, a file of its weights (.pth, .pb), or a folder of `soflow features train`. */
export const openExtractor = (runtime: Runtime, features: string): Promise<FeatureExtractor> => {
  if (features === "inception") return openInception(runtime);
  return /\.(pth|pb)$/.test(features) ? openInception(runtime, { path: features }) : openFeatures(runtime, features);
};

/** Side that images of a folder or of tar files get where the features take any. */
const SIZE = 32;

/** Images of a reference: an .npz file, or data. */
export const openImages = (path: string, { size = SIZE }: FeatureExtractor): Promise<ImageSet> =>
  /\.npz$/i.test(path) ? npzImages(path) : datasetImages(dataSource(path, size));

/** Whether something draws images, rather than being some. */
export const isModel = (path: string): boolean =>
  ["config.json", "network.json", "checkpoints"].some((name) => isPresent(join(path, name))) ||
  /\.safetensors$|latest$/.test(path);

/** Samples: what a model draws, or images that are there. */
export const openSamples = (
  path: string,
  draw: DrawnOptions,
  runtime: Runtime,
  extractor: FeatureExtractor,
): Promise<ImageSet> => (isModel(path) ? modelImages(runtime, path, draw) : openImages(path, extractor));
