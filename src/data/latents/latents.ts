import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Dataset as Hdf5Dataset } from "h5wasm/node";
import { UserError } from "../../errors.js";
import type { Dataset } from "../dataset.js";
import { type OpenHdf5, openHdf5, readRows } from "./hdf5.js";

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
  readonly latents: Hdf5Dataset;
  readonly amount: number;
  /** Channels of a row, and its side. */
  readonly channels: number;
  readonly side: number;
  readonly labels: BigInt64Array;
};

const required = (file: OpenHdf5, name: string, axes: number): Hdf5Dataset => {
  const found = file.dataset(name);
  if (!found)
    throw new UserError(
      `${file.path} has no dataset ${name}; it holds ${file.names.join(", ") || "nothing"} (needed: latents [N 2C s s] and labels [N])`,
    );
  const shape = found.shape ?? [];
  if (shape.length !== axes)
    throw new UserError(
      `${file.path}: ${name} is [${shape.join(" ")}]; it must have ${axes === 1 ? "one axis" : `${axes} axes`}`,
    );
  return found;
};

/** What the file says of itself must be so. */
const checkStated = (file: OpenHdf5, name: string, actual: number): void => {
  const stated = file.dataset(name)?.value;
  if (stated !== undefined && Number(stated) !== actual)
    throw new UserError(`${file.path}: ${name} is ${String(stated)}, but latents has ${actual}; the file is not whole`);
};

/** Opens a file of latents and checks that its parts fit together. */
export const openLatentsFile = async (path: string): Promise<LatentsFile> => {
  const file = await openHdf5(path);
  try {
    const [latents, labels] = [required(file, "latents", 4), required(file, "labels", 1)];
    const [amount, channels, side, other] = latents.shape as [number, number, number, number];
    if (latents.dtype !== "<f" && latents.dtype !== "<f4")
      throw new UserError(`${path}: latents has element type ${String(latents.dtype)}; it must be float32`);
    if (channels % 2 !== 0 || side !== other || amount < 1)
      throw new UserError(
        `${path}: latents is [${latents.shape!.join(" ")}]; it must be [N 2C s s], means and then deviations, N at least 1`,
      );
    if (labels.shape![0] !== amount)
      throw new UserError(`${path}: latents has ${amount} rows, labels ${labels.shape![0]}; the file is not whole`);
    checkStated(file, "amount", amount);
    checkStated(file, "latent_size", side);
    const values = BigInt64Array.from(
      Array.from(readRows(path, labels, 0, amount) as ArrayLike<number | bigint>, BigInt),
    );
    return { file, latents, amount, channels, side, labels: values };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
};

/** Names of the labels: as the file has them, else their numbers. */
const classesOf = ({ file, labels }: LatentsFile, count: number | undefined): string[] => {
  const largest = Number(labels.reduce((a, b) => (a > b ? a : b), 0n));
  if (labels.some((label) => label < 0n)) throw new UserError(`${file.path}: labels has negative numbers`);
  const names = JSON.parse(file.attribute("classes") ?? "[]") as string[];
  const least = Math.max(largest + 1, names.length);
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
      const row = readRows(file.path, latents, index, index + 1) as Float32Array;
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
