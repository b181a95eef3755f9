import sharp, { type Metadata, type Sharp } from "sharp";
import { messageOf, UserError } from "../errors.js";
import type { ImageShape } from "./dataset.js";

/** File endings that are read as images. */
export const IMAGE_ENDINGS = [".jpg", ".jpeg", ".png", ".webp"] as const;

export const isImageName = (name: string): boolean =>
  IMAGE_ENDINGS.some((ending) => name.toLowerCase().endsWith(ending));

/** Pixels of the largest image that is decoded, where nothing else is said: 8000×8000. */
export const MOST_PIXELS = 64_000_000;

/** Longest side of an image, which JPEG has too; very wide rows take memory that their pixels do not show. */
const LONGEST_SIDE = 65_535;

/** Decoded bytes for each pixel that is allowed: 8 bits of red, green, blue and alpha. */
const BYTES_PER_PIXEL = 4;

/** Bytes of a file for each pixel that is allowed; photographs in PNG have up to two. */
const FILE_BYTES_PER_PIXEL = 2;

/** Bytes of the largest image file that is read. */
export const mostImageBytes = (maxPixels = MOST_PIXELS): number => FILE_BYTES_PER_PIXEL * maxPixels;

/**
 * The size that images are brought to; those that are smaller are refused, unless they may be enlarged, and those of more than
 * `maxPixels` are.
 */
export type WantedShape = ImageShape & { readonly enlarge?: boolean; readonly maxPixels?: number | undefined };

export const shapeOf = ({ channels, height, width }: WantedShape): ImageShape => ({ channels, height, width });

sharp.cache(false);
sharp.concurrency(1); // one image a thread; several images are decoded at a time

const SIGNATURES: readonly (readonly [start: number, bytes: readonly number[]])[] = [
  [0, [0xff, 0xd8, 0xff]], // JPEG
  [0, [0x89, 0x50, 0x4e, 0x47]], // PNG
  [8, [0x57, 0x45, 0x42, 0x50]], // WebP, after RIFF and its length
  [0, [0x47, 0x49, 0x46, 0x38]], // GIF, under whatever name
];

/** Whether bytes begin as one of the formats that are read; the library behind would take many more. */
const isKnown = (bytes: Uint8Array): boolean =>
  SIGNATURES.some(([start, signature]) => signature.every((byte, i) => bytes[start + i] === byte));

/** Bytes per sample of what a decoder holds: a progressive JPEG is kept as coefficients of 16 bits. */
const sampleBytes = ({ depth, isProgressive, format }: Metadata): number =>
  depth === "uchar" ? (isProgressive && format === "jpeg" ? 2 : 1) : 2;

/** Bytes of an image as it is decoded. */
const decodedBytes = (found: Metadata): number => {
  const { width, height, channels, chromaSubsampling, isProgressive } = found;
  const halved = isProgressive && chromaSubsampling === "4:2:0" && channels === 3; // two of three planes are quarters
  return width * height * sampleBytes(found) * (halved ? 1.5 : channels);
};

/** What makes an image too large to decode, in words; undefined where nothing does. */
const sizeProblem = (found: Metadata, maxPixels: number): string | undefined => {
  const { width, height } = found;
  if (width * height > maxPixels)
    return `is ${width}×${height} pixels; images of at most ${maxPixels} are decoded (data.maxPixels)`;
  if (Math.max(width, height) > LONGEST_SIDE)
    return `is ${width}×${height} pixels; a side may have at most ${LONGEST_SIDE}`;
  const [bytes, most] = [decodedBytes(found), BYTES_PER_PIXEL * maxPixels];
  return bytes > most
    ? `takes ${bytes} bytes to decode; ${most} are allowed, ${BYTES_PER_PIXEL} for each of data.maxPixels ${maxPixels}`
    : undefined;
};

/** A checked image, of which only the header was read yet. */
export type OpenImage = { readonly image: Sharp; readonly width: number; readonly height: number };

/**
 * Reads the header of a jpeg, png, webp or gif and checks it before anything is decoded: at most `maxPixels` pixels,
 * 4 · `maxPixels` decoded bytes and 65,535 pixels a side. Throws a `UserError` that names `source` for an image that is larger,
 * and whatever sharp throws for one that is damaged.
 */
export const openImage = async (bytes: Uint8Array, source: string, maxPixels = MOST_PIXELS): Promise<OpenImage> => {
  if (bytes.length > 0 && !isKnown(bytes)) throw new Error("Input buffer contains unsupported image format");
  const options = { failOn: "truncated", sequentialRead: true } as const;
  // The limit is checked here, in words of our own; sharp holds a header against it that changes its mind.
  const found = await sharp(bytes, { ...options, limitInputPixels: false }).metadata();
  const problem = sizeProblem(found, maxPixels);
  if (problem !== undefined) throw new UserError(`${source} ${problem}`);
  return {
    image: sharp(bytes, { ...options, limitInputPixels: maxPixels }),
    width: found.width,
    height: found.height,
  };
};

/**
 * Decodes a jpeg, png, webp or gif on sharp's worker threads: turned as its EXIF data says, the largest centred square cut
 * out and scaled with a Lanczos-3 kernel. Throws a `UserError` that names `source` when the bytes are not a whole image,
 * the image is larger than `shape.maxPixels` allows, or is smaller than wanted and may not be enlarged.
 */
export const decodeImage = async (bytes: Uint8Array, shape: WantedShape, source: string): Promise<Uint8Array> => {
  const wanted = `${shape.width}×${shape.height}`;
  try {
    const { image, width, height } = await openImage(bytes, source, shape.maxPixels);
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
