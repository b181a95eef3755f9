import { access, constants } from "node:fs/promises";
import sharp from "sharp";
import { messageOf, UserError } from "../errors.js";
import { isPassing, reasonOf } from "../files/index.js";
import { PassingError } from "./dataset.js";
import type { WantedShape } from "./image.js";

/** Reads the header of an image and holds it against what is wanted; no pixel is decoded. */
const inspectHeader = async (source: string | Uint8Array, shape: WantedShape, name: string): Promise<void> => {
  const { width = 0, height = 0 } = await sharp(source, { failOn: "truncated" }).metadata();
  if (!shape.enlarge && Math.min(width, height) < shape.width)
    throw new UserError(`${name} is ${width}×${height} pixels; images must be at least ${shape.width}×${shape.height}`);
};

const noImage = (name: string, thrown: unknown): Error =>
  thrown instanceof UserError
    ? thrown
    : new UserError(`${name} is not a whole jpeg, png or webp image: ${messageOf(thrown).split("\n")[0]}`);

/** Why a file cannot be opened, where it cannot; sharp would not say. */
const openingProblem = (path: string): Promise<UserError | undefined> =>
  access(path, constants.R_OK).then(
    () => undefined,
    (thrown: unknown) => {
      const message = `${path} cannot be read: ${reasonOf(thrown)}`;
      return isPassing(thrown) ? new PassingError(message) : new UserError(message);
    },
  );

/** Inspects an image file by its header. Rejects with a `UserError` as decoding it would. */
export const inspectFile = async (path: string, shape: WantedShape): Promise<void> => {
  try {
    await inspectHeader(path, shape, path);
  } catch (thrown) {
    throw (await openingProblem(path)) ?? noImage(path, thrown);
  }
};

/** Bytes that nearly every header ends within. */
const PREFIX = 2 ** 16;

/** The same for an image inside another file: its first bytes, and where these do not do, all of them. */
export const inspectPrefix = async (
  read: (size: number) => Promise<Uint8Array>,
  size: number,
  shape: WantedShape,
  name: string,
): Promise<void> => {
  try {
    await inspectHeader(await read(PREFIX), shape, name);
  } catch (first) {
    if (first instanceof UserError || size <= PREFIX) throw noImage(name, first);
    await inspectHeader(await read(size), shape, name).catch((thrown: unknown) => {
      throw noImage(name, thrown);
    });
  }
};
