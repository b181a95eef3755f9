import { exhaustive } from "../errors.js";
import { openCifar10, openMnist } from "./binary.js";
import { cached, type Dataset } from "./dataset.js";
import { openFolder } from "./folder.js";
import { openGlyphs } from "./glyphs/glyphs.js";
import { openWebDataset } from "./webdataset.js";

export { bytesPerImage, type Dataset, type ImageShape, type Sample } from "./dataset.js";
export { type Batch, Loader, type LoaderOptions, samplingOrder } from "./loader.js";

/** Where images come from. */
export type DataSource =
  | { readonly kind: "glyphs"; readonly size: number; readonly channels: 1 | 3; readonly samples: number }
  | { readonly kind: "folder"; readonly path: string; readonly size: number; readonly channels: 1 | 3 }
  | {
      readonly kind: "webdataset";
      readonly path: string;
      readonly size: number;
      readonly channels: 1 | 3;
      /** Number of labels, where a shard may lack some; by default one more than the largest found. */
      readonly classCount?: number;
    }
  | { readonly kind: "cifar10" | "mnist"; readonly path: string };

/** Opens a dataset. `seed` and `split` matter to glyphs only, which draws its images from them. */
export const openDataset = async (
  source: DataSource,
  seed = 0,
  split: "train" | "test" = "train",
): Promise<Dataset> => {
  const square = (size: number, channels: 1 | 3) => ({ channels, height: size, width: size });
  switch (source.kind) {
    case "glyphs":
      return openGlyphs({ ...source, seed, split });
    case "folder":
      return cached(await openFolder(source.path, square(source.size, source.channels)));
    case "webdataset":
      return cached(await openWebDataset(source.path, square(source.size, source.channels), source.classCount));
    case "cifar10":
      return openCifar10(source.path);
    case "mnist":
      return openMnist(source.path);
    default:
      return exhaustive(source);
  }
};
