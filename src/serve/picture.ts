import sharp from "sharp";
import { imageOf, maskOf, type StoredPixels } from "../editing/index.js";
import { grid, toBytes } from "../formats/grid.js";
import { encodePng } from "../train/picture.js";
import type { Made } from "./model.js";
import type { ModelInfo } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { Turns } from "./turns.js";

/**
 * Most bytes of a picture that is decoded as a whole, as progressive ones are; others come row by row. Every thread that decodes
 * keeps so much memory for the next.
 */
const MOST_WHOLE = 24 * 2 ** 20;
/** Seconds that decoding may take. */
const MOST_SECONDS = 20;

type Shape = Pick<ModelInfo, "channels" | "size">;

/** One PNG of one or many images, in a grid where they are many. */
export const pngOf = (made: readonly Made[], { channels, size }: Shape, scale: number): Promise<Uint8Array> => {
  const data = Buffer.concat(made.map(({ image }) => toBytes(Float32Array.from(image))));
  return encodePng(grid({ data, count: made.length, channels, size }, { scale, margin: made.length === 1 ? 0 : 2 }));
};

const startsWith = (bytes: Buffer, text: string, at = 0): boolean =>
  bytes.subarray(at, at + text.length).equals(Buffer.from(text, "latin1"));

/** Whether a file is of a kind that is decoded here: no other decoder sees what comes from elsewhere. */
const isKnownKind = (bytes: Buffer): boolean =>
  startsWith(bytes, "\x89PNG\r\n\x1a\n") ||
  startsWith(bytes, "\xff\xd8\xff") ||
  (startsWith(bytes, "RIFF") && startsWith(bytes, "WEBP", 8));

const unreadable = (name: string): Refusal =>
  new Refusal(422, name, `${name} is not a picture that can be read; send a PNG, JPEG or WebP file in base64`);

/** What a mask or an image is decoded as. */
type Wanted = { readonly name: "image" | "mask"; readonly shape: Shape; readonly isGray: boolean };

/**
 * Decodes pictures that were sent, one at a time, each looked at before its pixels are touched: a small file may hold very many.
 */
export class PictureDecoder {
  private readonly turns = new Turns({ most: 1, maxWaiting: 64, what: "pictures" });

  constructor(
    /** Largest picture, in pixels. */
    private readonly mostPixels: number,
  ) {
    sharp.cache(false); // it would keep pixels of pictures that never come again, hundreds of megabytes of them
  }

  /** An image [C H W] in [−1, 1]. Throws a `Refusal` where it is none, or too large. */
  async readImage(base64: string, shape: Shape, signal: AbortSignal): Promise<Float32Array> {
    const { channels, size } = shape;
    const bytes = await this.decode(base64, { name: "image", shape, isGray: channels === 1 }, signal);
    return imageOf(storedIn(bytes, size), channels, size * size);
  }

  /** A mask [H W] in [0, 1]. Throws a `Refusal` where it is none, or too large. */
  async readMask(base64: string, shape: Shape, signal: AbortSignal): Promise<Float32Array> {
    const bytes = await this.decode(base64, { name: "mask", shape, isGray: true }, signal);
    return maskOf(storedIn(bytes, shape.size), shape.size ** 2);
  }

  /** A picture as bytes of the model's size. */
  private decode(base64: string, wanted: Wanted, signal: AbortSignal): Promise<Uint8Array> {
    return this.turns.run(async () => {
      const file = Buffer.from(base64, "base64");
      await this.requireModest(file, wanted.name);
      return decodePixels(file, wanted);
    }, signal);
  }

  /** Throws a `Refusal` for what is no picture, and where its header promises more than is decoded here. */
  private async requireModest(file: Buffer, name: string): Promise<void> {
    if (!isKnownKind(file)) throw unreadable(name);
    const { width, height, channels, isProgressive } = await sharp(file, { limitInputPixels: false })
      .metadata()
      .catch(() => {
        throw unreadable(name);
      });
    const pixels = width * height;
    if (pixels > this.mostPixels || (isProgressive && 2 * pixels * channels > MOST_WHOLE))
      throw new Refusal(
        422,
        name,
        `${name} is ${width}×${height} pixels of ${channels} channels; this server reads up to ${this.mostPixels} pixels, of progressive files about 4 million`,
      );
  }
}

const decodePixels = async (file: Buffer, { name, shape: { size }, isGray }: Wanted): Promise<Uint8Array> => {
  try {
    return await sharp(file, { limitInputPixels: false })
      .timeout({ seconds: MOST_SECONDS })
      .flatten({ background: "#000" })
      .resize(size, size, { fit: "cover" })
      .toColourspace(isGray ? "b-w" : "srgb")
      .raw()
      .toBuffer();
  } catch {
    throw unreadable(name);
  }
};

const storedIn = (bytes: Uint8Array, size: number): StoredPixels => ({ bytes, stored: bytes.length / size ** 2 });
