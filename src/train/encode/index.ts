import { join } from "node:path";
import { type Dataset, openDataset } from "../../data/index.js";
import { isPresent } from "../../files/index.js";
import { openEncoder } from "../autoencoder.js";
import { type EncodeOptions, encodeDataset } from "./encode.js";

export { type EncodeOptions, encodeDataset, type Part } from "./encode.js";
export { mergeLatents } from "./merge.js";

export type EncodeImagesOptions = EncodeOptions & {
  /** A folder of images, tar files by a pattern, or the folder of CIFAR-10's binary files. */
  readonly images: string;
  /** The autoencoder's folder. */
  readonly vae: string;
  /** Side of the images that are encoded, in pixels. */
  readonly size: number;
  readonly threads?: number;
};

/** Images for what a path names; small ones are enlarged, as by the official script. */
const openImages = (path: string, size: number): Promise<Dataset> => {
  if (isPresent(join(path, "data_batch_1.bin"))) return openDataset({ kind: "cifar10", path });
  const kind = path.endsWith(".tar") ? "webdataset" : "folder";
  return openDataset({ kind, path, size, channels: 3, enlarge: true });
};

/** Encodes images into a file of latents; see `encodeDataset`. Returns the rows, or undefined when it was interrupted. */
export const encodeImages = async (options: EncodeImagesOptions): Promise<number | undefined> => {
  const { images, vae, size, threads } = options;
  const dataset = await openImages(images, size);
  try {
    const encoder = await openEncoder(vae, { size: dataset.shape.height, batch: 1, ...(threads && { threads }) });
    try {
      return await encodeDataset(dataset, encoder, options);
    } finally {
      await encoder.close();
    }
  } finally {
    await dataset.close();
  }
};
