import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import { shown } from "../../formats/randomAccess.js";
import type { Dataset } from "../dataset.js";
import { classCountOf, MOST_CLASSES } from "../labels.js";
import { type OpenDataset, type OpenHdf5, openHdf5 } from "./hdf5.js";

export type LatentsOptions = {
  /** A file, or a folder that holds one, such as the official script's. */
  readonly path: string;
  /** Side and channels that a latent must have. */
  readonly size: number;
  readonly channels: number;
  /** Number of labels, where the file lacks some; by default one more than the largest. */
  readonly classes?: number | undefined;
};

/** sd-vae-ft-mse's factor from the encoder's latents to those that are learnt. */
export const LATENT_SCALE = 0.18215;

const OFFICIAL = "imagenet_latent.hdf5";
const ENDING = /\.(h5|hdf5)$/;

/** The file behind a path. */
export const latentsFile = (path: string): string => {
  if (!existsSync(path)) throw new UserError(`data.path: there is no ${path}; give a file of latents, or its folder`);
  if (!statSync(path).isDirectory()) return path;
  const files = readdirSync(path).filter((name) => ENDING.test(name));
  const [only] = files.includes(OFFICIAL) ? [OFFICIAL] : files;
  if (only === undefined || (files.length > 1 && only !== OFFICIAL))
    throw new UserError(
      `data.path ${path} holds ${files.length} files of latents (.h5, .hdf5); it must hold one, or ${OFFICIAL}`,
    );
  return join(path, only);
};

/** The datasets of a file, checked: `latents` [N 2C s s] and `labels` [N]. */
export type LatentsFile = {
  readonly file: OpenHdf5;
  readonly latents: OpenDataset;
  readonly amount: number;
  /** Channels of a row, and its side. */
  readonly channels: number;
  readonly side: number;
  readonly labels: BigInt64Array;
};

/** Rows of a file: twice ImageNet's with both orientations. Their labels are held. */
const MOST_ROWS = 10_000_000;
/** Bytes of a row, and of a chunk, which is read whole for any part of it. */
const LARGEST_ROW = 2 ** 26;
/** Bytes that one packed byte can become. */
const BEST_RATIO = 1032;
/** Labels that are read at once. */
const LABELS = 2 ** 16;

const INTEGER = /^[<>][bhiqBHIQ]$/;
const FLOAT32 = /^<f4?$/;

const required = (file: OpenHdf5, name: string, axes: number): OpenDataset => {
  const found = file.dataset(name);
  if (!found)
    throw new UserError(
      `${file.path} has no dataset ${name}; it holds ${shown(file.names.join(", ")) || "nothing"} (needed: latents [N 2C s s] and labels [N])`,
    );
  const { shape, bytes, chunkBytes, packed } = found;
  if (shape.length !== axes)
    throw new UserError(
      `${file.path}: ${name} is [${shape.join(" ")}]; it must have ${axes === 1 ? "one axis" : `${axes} axes`}`,
    );
  if (chunkBytes > LARGEST_ROW)
    throw new UserError(`${file.path}: ${name} has chunks of ${chunkBytes} bytes; at most ${LARGEST_ROW} are read`);
  if (bytes > file.size * (packed ? BEST_RATIO : 1))
    throw new UserError(
      `${file.path}: ${name} is [${shape.join(" ")}], ${bytes} bytes; the file has ${file.size} and is not whole`,
    );
  return found;
};

/** What the file says of itself must be so. */
const checkStated = (file: OpenHdf5, name: string, actual: number): void => {
  const found = file.dataset(name);
  if (!found) return;
  const { shape, dtype } = found;
  if (!INTEGER.test(dtype) || shape.length > 1 || (shape[0] ?? 1) !== 1)
    throw new UserError(
      `${file.path}: ${name} is of type ${shown(dtype)} and shape [${shape.join(" ")}]; it must be one whole number`,
    );
  const stated = found.value();
  if (Number(stated) !== actual)
    throw new UserError(`${file.path}: ${name} is ${String(stated)}, but latents has ${actual}; the file is not whole`);
};

const checkLatents = (path: string, { shape, dtype, bytes }: OpenDataset): void => {
  const [amount = 0, channels = 0, side, other] = shape;
  if (!FLOAT32.test(dtype))
    throw new UserError(`${path}: latents has element type ${shown(dtype)}; it must be float32`);
  if (channels % 2 !== 0 || side !== other || amount < 1 || channels * side! < 1)
    throw new UserError(
      `${path}: latents is [${shape.join(" ")}]; it must be [N 2C s s], means and then deviations, N at least 1`,
    );
  if (amount > MOST_ROWS) throw new UserError(`${path}: latents has ${amount} rows; at most ${MOST_ROWS} are read`);
  if (bytes / amount > LARGEST_ROW)
    throw new UserError(`${path}: a row of latents has ${bytes / amount} bytes; at most ${LARGEST_ROW} are read`);
};

/** The labels, read in pieces. */
const readLabels = (
  path: string,
  { shape: [amount = 0], bytes, chunkBytes, dtype, rows }: OpenDataset,
): BigInt64Array => {
  if (!INTEGER.test(dtype))
    throw new UserError(`${path}: labels has element type ${shown(dtype)}; it must be whole numbers`);
  const labels = new BigInt64Array(amount);
  const perChunk = Math.max(1, Math.floor((chunkBytes * amount) / bytes)); // a chunk is unpacked once
  const atOnce = perChunk * Math.ceil(LABELS / perChunk);
  for (let at = 0; at < amount; at += atOnce) {
    const piece = rows(at, Math.min(amount, at + atOnce));
    for (let i = 0; i < piece.length; i++) labels[at + i] = BigInt(piece[i]!);
  }
  return labels;
};

/** Opens a file of latents and checks that its parts fit together. */
export const openLatentsFile = async (path: string): Promise<LatentsFile> => {
  const file = await openHdf5(path);
  try {
    const [latents, labels] = [required(file, "latents", 4), required(file, "labels", 1)];
    checkLatents(path, latents);
    const [amount, channels, side] = latents.shape as [number, number, number];
    if (labels.shape[0] !== amount)
      throw new UserError(`${path}: latents has ${amount} rows, labels ${labels.shape[0]}; the file is not whole`);
    checkStated(file, "amount", amount);
    checkStated(file, "latent_size", side);
    return { file, latents, amount, channels, side, labels: readLabels(path, labels) };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
};

/** The names that a file keeps of its labels. */
const namesIn = (file: OpenHdf5): readonly string[] => {
  const text = file.attribute("classes");
  if (text === undefined) return [];
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.length <= MOST_CLASSES && names.every((name) => typeof name === "string"))
      return names;
  } catch {} // said below
  throw new UserError(
    `${file.path}: its attribute classes is ${shown(text)}; it must be a list of at most ${MOST_CLASSES} names in JSON`,
  );
};

/** Names of the labels: as the file has them, else their numbers. */
const classesOf = ({ file, labels }: LatentsFile, count: number | undefined): string[] => {
  if (labels.some((label) => label < 0n)) throw new UserError(`${file.path}: labels has negative numbers`);
  const names = namesIn(file);
  const least = Math.max(classCountOf(labels, `${file.path}: label`), names.length);
  if (count !== undefined && count < least)
    throw new UserError(`data.classes is ${count}; ${file.path} has ${least} labels`);
  return Array.from({ length: count ?? least }, (_, i) => names[i] ?? String(i));
};

/**
 * Latents as a dataset: a sample is the mean of its latent, and the deviation that a loader draws around it. Read by rows, as
 * many times as asked for: a file may be far larger than memory.
 */
export const openLatents = async (options: LatentsOptions): Promise<Dataset> => {
  const opened = await openLatentsFile(latentsFile(options.path));
  try {
    return datasetOf(opened, options);
  } catch (thrown) {
    opened.file.close();
    throw thrown;
  }
};

const datasetOf = (opened: LatentsFile, { size, channels, classes }: LatentsOptions): Dataset => {
  const { file, latents, amount, side, labels } = opened;
  if (side !== size || opened.channels !== 2 * channels)
    throw new UserError(
      `${file.path} holds latents of ${opened.channels / 2}×${side}×${side}; data.channels is ${channels} and data.size ${size}`,
    );
  const numbers = channels * size * size;
  return {
    name: file.path,
    shape: { channels, height: size, width: size },
    classes: classesOf(opened, classes),
    length: amount,
    read: async (index) => {
      const row = latents.rows(index, index + 1) as Float32Array;
      return {
        pixels: row.slice(0, numbers),
        spread: { deviation: row.slice(numbers), scale: LATENT_SCALE },
        label: Number(labels[index]),
      };
    },
    source: (index) => `row ${index} of ${file.path}`,
    close: async () => file.close(),
  };
};
