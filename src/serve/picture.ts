import sharp from "sharp";
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

/** An image [C H W] in [−1, 1]: the inverse of `toBytes` at the middle of each step, x = (b − 127.5) / 127.5. */
export const readImage = async (base64: string, shape: Shape): Promise<Float32Array> => {
  const { channels, size } = shape;
  const bytes = await decode(base64, "image", shape, channels === 1);
  const [plane, stored] = [size * size, bytes.length / (size * size)];
  return Float32Array.from({ length: channels * plane }, (_, i) => {
    const [c, p] = [Math.floor(i / plane), i % plane];
    return (bytes[p * stored + Math.min(c, stored - 1)]! - 127.5) / 127.5;
  });
};

/** A mask [H W] in [0, 1]. */
export const readMask = async (base64: string, shape: Shape): Promise<Float32Array> => {
  const bytes = await decode(base64, "mask", shape, true);
  const [plane, stored] = [shape.size ** 2, bytes.length / shape.size ** 2];
  return Float32Array.from({ length: plane }, (_, p) => bytes[p * stored]! / 255);
};
