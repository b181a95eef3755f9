import sharp from "sharp";
import { messageOf, UserError } from "../errors.js";
import type { ImageShape } from "./dataset.js";

/** File endings that are read as images. */
export const IMAGE_ENDINGS = [".jpg", ".jpeg", ".png", ".webp"] as const;

export const isImageName = (name: string): boolean =>
  IMAGE_ENDINGS.some((ending) => name.toLowerCase().endsWith(ending));

/** The size that images are brought to; those that are smaller are refused, unless they may be enlarged. */
export type WantedShape = ImageShape & { readonly enlarge?: boolean };

export const shapeOf = ({ channels, height, width }: WantedShape): ImageShape => ({ channels, height, width });

sharp.cache(false);
sharp.concurrency(1); // one image a thread; several images are decoded at a time

/**
 * Decodes a jpeg, png or webp on sharp's worker threads: turned as its EXIF data says, the largest centred square cut
 * out and scaled with a Lanczos-3 kernel. Throws a `UserError` that names `source` when the bytes are not a whole image
 * or the image is smaller than wanted and may not be enlarged.
 */
export const decodeImage = async (bytes: Uint8Array, shape: WantedShape, source: string): Promise<Uint8Array> => {
  const wanted = `${shape.width}×${shape.height}`;
  try {
    const image = sharp(bytes, { failOn: "truncated" });
    const { width = 0, height = 0 } = await image.metadata();
    if (!shape.enlarge && Math.min(width, height) < shape.width)
      throw new UserError(`${source} is ${width}×${height} pixels; images must be at least ${wanted}`);
    const square = image
      .rotate()
      .flatten({ background: "#000000" })
      .resize(shape.width, shape.height, { fit: "cover", position: "centre", kernel: "lanczos3" });
    return await square
      .toColourspace(shape.channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer();
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${source} is not a whole jpeg, png or webp image: ${messageOf(thrown).split("\n")[0]}`);
  }
};
