import sharp from "sharp";
import { imageOf, maskOf, type StoredPixels } from "../editing/index.js";
import { grid, toBytes } from "../formats/grid.js";
import { encodePng } from "../train/picture.js";
import type { Made } from "./model.js";
import type { ModelInfo } from "./protocol.js";
import { Refusal } from "./refusal.js";

/** Largest picture that is decoded, in pixels: what a phone's camera takes. */
const MOST_PIXELS = 50_000_000;

type Shape = Pick<ModelInfo, "channels" | "size">;

/** One PNG of one or many images, in a grid where they are many. */
export const pngOf = (made: readonly Made[], { channels, size }: Shape, scale: number): Promise<Uint8Array> => {
  const data = Buffer.concat(made.map(({ image }) => toBytes(Float32Array.from(image))));
  return encodePng(grid({ data, count: made.length, channels, size }, { scale, margin: made.length === 1 ? 0 : 2 }));
};

/** A picture in base64 as bytes of the model's size. Throws a `Refusal` (422) where it cannot be read. */
const decode = async (base64: string, name: string, { size }: Shape, gray: boolean): Promise<Uint8Array> => {
  try {
    return await sharp(Buffer.from(base64, "base64"), { limitInputPixels: MOST_PIXELS })
      .flatten({ background: "#000" })
      .resize(size, size, { fit: "cover" })
      .toColourspace(gray ? "b-w" : "srgb")
      .raw()
      .toBuffer();
  } catch {
    throw new Refusal(422, name, `${name} is not a picture that can be read; send a PNG, JPEG or WebP file in base64`);
  }
};

/** An image [C H W] in [−1, 1]. */
export const readImage = async (base64: string, shape: Shape): Promise<Float32Array> => {
  const { channels, size } = shape;
  return imageOf(storedIn(await decode(base64, "image", shape, channels === 1), size), channels, size * size);
};

/** A mask [H W] in [0, 1]. */
export const readMask = async (base64: string, shape: Shape): Promise<Float32Array> =>
  maskOf(storedIn(await decode(base64, "mask", shape, true), shape.size), shape.size ** 2);

const storedIn = (bytes: Uint8Array, size: number): StoredPixels => ({ bytes, stored: bytes.length / size ** 2 });
