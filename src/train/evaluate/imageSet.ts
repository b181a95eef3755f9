import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { type DataSource, type Dataset, openDataset } from "../../data/index.js";
import { classCountOf } from "../../data/labels.js";
import { UserError } from "../../errors.js";
import { isPresent } from "../../files/index.js";
import { resolveConfig } from "../config/index.js";
import { type NpzFile, openNpz } from "./npzFile.js";

/** Images and their labels. */
export type Images = { readonly pixels: Uint8Array; readonly labels: readonly number[] };

/** Images by index, from a file, a dataset or a model. */
export type ImageSet = {
  readonly name: string;
  /** The same text for the same images: what was computed of them is kept under it. */
  readonly identity: string;
  readonly size: number;
  readonly length: number;
  /** Names of the labels; empty where images have none. */
  readonly classes: readonly string[];
  /** Images `first` … `first + n − 1`, uint8 [n H W 3]. */
  readonly read: (first: number, n: number) => Promise<Images>;
  readonly close: () => Promise<void>;
};

/** The same text for equal values. */
export const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

const fileMark = async (path: string): Promise<readonly unknown[]> => {
  const { size, mtimeMs } = await stat(path);
  return [path, size, mtimeMs];
};

/** Images of an .npz file: arr_0 uint8 [N H W 3 or 1], and labels arr_1 [N] where it has them. */
export const npzImages = async (path: string): Promise<ImageSet> => {
  const file = await openNpz(path);
  try {
    return await imagesOf(file, path);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
};

const imagesOf = async (file: NpzFile, path: string): Promise<ImageSet> => {
  const { shape, read } = await file.images("arr_0");
  const [length = 0, height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 4 || height !== width || (channels !== 3 && channels !== 1))
    throw new UserError(`${path}: arr_0 is [${shape.join(", ")}]; images must be [N, size, size, 3]`);
  if (length === 0) throw new UserError(`${path} holds no images: arr_0 is empty`);
  if (height === 0) throw new UserError(`${path}: arr_0 is [${shape.join(", ")}]; its images have no pixels`);
  const labels = file.names.includes("arr_1") ? await labelsOf(file, path, length) : [];
  const readImages = async (first: number, n: number): Promise<Images> => {
    const raw = await read(first, n);
    const pixels =
      channels === 3 ? raw : Uint8Array.from({ length: raw.length * 3 }, (_, k) => raw[Math.floor(k / 3)]!);
    return { pixels, labels: labels.slice(first, first + n) };
  };
  const classes = Array.from({ length: classCountOf(labels, `${path}: label`) }, (_, i) => String(i));
  const identity = digest(["npz", ...(await fileMark(path))]);
  return { name: path, identity, size: height, length, classes, read: readImages, close: file.close };
};

const labelsOf = async (file: NpzFile, path: string, length: number): Promise<number[]> => {
  const { data } = await file.array("arr_1");
  if (data.length !== length)
    throw new UserError(`${path}: arr_1 has ${data.length} labels, arr_0 has ${length} images; there must be as many`);
  return Array.from(data, Number);
};

const readSamples = async (dataset: Dataset, first: number, n: number): Promise<Images> => {
  const { width, channels } = dataset.shape;
  const pixels = new Uint8Array(n * width * width * 3);
  const labels: number[] = [];
  for (let i = 0; i < n; i++) {
    const sample = await dataset.read(first + i);
    if (sample.pixels instanceof Float32Array)
      throw new UserError(`evaluate: ${dataset.name} holds no images; features are taken of images`);
    for (let k = 0; k < width * width * 3; k++)
      pixels[i * width * width * 3 + k] = sample.pixels[channels === 3 ? k : Math.floor(k / 3)]!;
    labels.push(sample.label);
  }
  return { pixels, labels };
};

/** Where images are: a preset or YAML file with a data section, tar files, or a folder. */
export const dataSource = (text: string, size: number): DataSource => {
  if (/\.tar$/.test(text)) return { kind: "webdataset", path: text, size, channels: 3 };
  if (isPresent(text) && !/\.ya?ml$/.test(text)) return { kind: "folder", path: text, size, channels: 3 };
  return resolveConfig({ file: text }).data;
};

/** The images that a dataset trains with, in its order. */
export const datasetImages = async (source: DataSource): Promise<ImageSet> => {
  const dataset = await openDataset(source, 0);
  return {
    name: dataset.name,
    identity: digest(["data", source, "train", dataset.length, dataset.source(0)]),
    size: dataset.shape.width,
    length: dataset.length,
    classes: dataset.classes,
    read: (first, n) => readSamples(dataset, first, n),
    close: () => dataset.close(),
  };
};
