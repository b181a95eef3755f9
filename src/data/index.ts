import { exhaustive } from "../errors.js";
import { openCifar10, openMnist } from "./binary.js";
import { cached, type Dataset, limited } from "./dataset.js";
import { openFolder } from "./folder.js";
import { openGlyphs } from "./glyphs/glyphs.js";
import type { WantedShape } from "./image.js";
import { type LatentsOptions, openLatents } from "./latents/latents.js";
import type { PointsName } from "./points/distributions.js";
import { openPoints } from "./points/points.js";
import { openWebDataset } from "./webdataset.js";

export { augmentLabels } from "./augment/augment.js";
export { bytesPerImage, type Dataset, type ImageShape, type Sample, UnusableSample } from "./dataset.js";
export { type InspectOptions, inspectAll } from "./inspect.js";
export { type Batch, Loader, type LoaderOptions, samplingOrder } from "./loader.js";
export { GAUSSIAN, type PointsName } from "./points/distributions.js";
export { drawPoints } from "./points/points.js";

/** Images that are decoded at the same time, where nothing else is said. */
const WORKERS = 2;

/** Where images come from. `workers`: how many are decoded at the same time, on sharp's threads; 2 by default. */
export type DataSource = Source & { readonly workers?: number };
type Source =
  | { readonly kind: "glyphs"; readonly size: number; readonly channels: 1 | 3; readonly samples: number }
  | {
      readonly kind: "folder";
      readonly path: string;
      readonly size: number;
      readonly channels: 1 | 3;
      /** Whether smaller images are enlarged; else they are refused. */
      readonly enlarge?: boolean;
      /** Pixels of the largest image that is decoded; 64 million by default. */
      readonly maxPixels?: number | undefined;
    }
  | {
      readonly kind: "webdataset";
      readonly path: string;
      readonly size: number;
      readonly channels: 1 | 3;
      readonly enlarge?: boolean;
      readonly maxPixels?: number | undefined;
      /** Number of labels, where a shard may lack some; by default one more than the largest found. */
      readonly classCount?: number;
    }
  | ({ readonly kind: "latents" } & LatentsOptions)
  | { readonly kind: "points"; readonly name: PointsName; readonly samples: number }
  | { readonly kind: "cifar10" | "mnist"; readonly path: string };

/** Opens a dataset. `seed` and `split` matter to glyphs and points, which are drawn from them. */
export const openDataset = async (
  source: DataSource,
  seed = 0,
  split: "train" | "test" = "train",
): Promise<Dataset> => {
  const decoded = (dataset: Dataset): Dataset => cached(limited(dataset, source.workers ?? WORKERS));
  const square = ({
    size,
    channels,
    enlarge = false,
    maxPixels,
  }: Omit<WantedShape, "height" | "width"> & { size: number }) => ({
    channels,
    height: size,
    width: size,
    enlarge,
    maxPixels,
  });
  switch (source.kind) {
    case "glyphs":
      return openGlyphs({ ...source, seed, split });
    case "folder":
      return decoded(await openFolder(source.path, square(source)));
    case "webdataset":
      return decoded(await openWebDataset(source.path, square(source), source.classCount));
    case "latents":
      return openLatents(source);
    case "points":
      return openPoints({ ...source, seed, split });
    case "cifar10":
      return openCifar10(source.path);
    case "mnist":
      return openMnist(source.path);
    default:
      return exhaustive(source);
  }
};
