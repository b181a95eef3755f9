import { type FileHandle, open } from "node:fs/promises";
import { messageOf, UserError } from "../errors.js";
import { cannotRead } from "./files.js";
import { mostImageBytes, openImage, type WantedShape } from "./image.js";

/** Reads the header of an image and holds it against limits and what is wanted; no pixel is decoded. */
const inspectHeader = async (bytes: Uint8Array, shape: WantedShape, name: string): Promise<void> => {
  const { width, height } = await openImage(bytes, name, shape.maxPixels);
  if (!shape.enlarge && Math.min(width, height) < shape.width)
    throw new UserError(`${name} is ${width}×${height} pixels; images must be at least ${shape.width}×${shape.height}`);
};

/** Bytes that nearly every header ends within. */
const PREFIX = 2 ** 16;

/**
 * Inspects an image by its header: by its first bytes, and where these do not do, by all of them. Rejects with a
 * `UserError` as decoding it would; an image whose header is whole can still be damaged.
 */
export const inspectImage = async (
  read: (size: number) => Promise<Uint8Array>,
  size: number,
  shape: WantedShape,
  name: string,
): Promise<void> => {
  const most = mostImageBytes(shape.maxPixels);
  if (size > most) throw new UserError(`${name} has ${size} bytes; at most ${most} are read`);
  const start = await read(Math.min(PREFIX, size));
  try {
    await inspectHeader(start, shape, name).catch(async (thrown: unknown) => {
      if (thrown instanceof UserError || size <= PREFIX) throw thrown;
      await inspectHeader(await read(size), shape, name);
    });
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${name} is not a whole jpeg, png or webp image: ${messageOf(thrown).split("\n")[0]}`);
  }
};

const readStart = async (file: FileHandle, size: number): Promise<Uint8Array> => {
  const { buffer, bytesRead } = await file.read(new Uint8Array(size), 0, size, 0);
  return buffer.subarray(0, bytesRead);
};

/** Inspects an image file by its header; see `inspectImage`. */
export const inspectFile = async (path: string, shape: WantedShape): Promise<void> => {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const opened = file;
    const found = await opened.stat();
    if (!found.isFile()) throw new UserError(`${path} cannot be read: it is no plain file`);
    await inspectImage((size) => readStart(opened, size), found.size, shape, path);
  } catch (thrown) {
    throw cannotRead(path, thrown);
  } finally {
    await file?.close();
  }
};
