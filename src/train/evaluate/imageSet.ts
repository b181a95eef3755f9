import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { type DataSource, type Dataset, openDataset } from "../../data/index.js";
import { UserError } from "../../errors.js";
import { toBytes } from "../../formats/grid.js";
import type { Runtime } from "../../runtime/index.js";
import { resolveConfig } from "../config/index.js";
import { collect, type DrawOptions, Generator, readWeights } from "../generate.js";
import { chooseLabels } from "../sample.js";
import { openSource } from "../source.js";
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

/** Planes [n C H W] as [n H W 3], grey repeated. */
const channelsLast = (data: Uint8Array, n: number, channels: number, size: number): Uint8Array => {
  const plane = size * size;
  const pixels = new Uint8Array(n * plane * 3);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < 3; c++)
        pixels[(i * plane + p) * 3 + c] = data[(i * channels + Math.min(c, channels - 1)) * plane + p]!;
  return pixels;
};

const digest = (value: unknown): string =>
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
  const labels = file.names.includes("arr_1") ? Array.from((await file.array("arr_1")).data, Number) : [];
  const readImages = async (first: number, n: number): Promise<Images> => {
    const raw = await read(first, n);
    const pixels =
      channels === 3 ? raw : Uint8Array.from({ length: raw.length * 3 }, (_, k) => raw[Math.floor(k / 3)]!);
    return { pixels, labels: labels.slice(first, first + n) };
  };
  const classes = labels.length === 0 ? [] : Array.from({ length: Math.max(...labels) + 1 }, (_, i) => String(i));
  const identity = digest(["npz", ...(await fileMark(path))]);
  return { name: path, identity, size: height, length, classes, read: readImages, close: file.close };
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
  if (existsSync(text) && !/\.ya?ml$/.test(text)) return { kind: "folder", path: text, size, channels: 3 };
  return resolveConfig({ file: text }).data;
};

/** The images of a dataset, in its order. */
export const datasetImages = async (text: string, size: number, split: "train" | "test"): Promise<ImageSet> => {
  const source = dataSource(text, size);
  const dataset = await openDataset(source, 0, split);
  return {
    name: dataset.name,
    identity: digest(["data", source, split, dataset.length, dataset.source(0)]),
    size: dataset.shape.width,
    length: dataset.length,
    classes: dataset.classes,
    read: (first, n) => readSamples(dataset, first, n),
    close: () => dataset.close(),
  };
};

export type DrawnOptions = Omit<DrawOptions, "batch"> & { readonly count: number; readonly seed: number };

/** The images that a model draws: image i depends on the seed and i alone. */
export const modelImages = async (
  runtime: Runtime,
  source: string,
  { count, seed, ...draw }: DrawnOptions,
  block: number,
): Promise<ImageSet> => {
  const { description, file, prefix } = await openSource(source, "ema", "evaluate");
  const weights = await readWeights(description, (name) => file.read(prefix + name));
  await file.close();
  const { imageSize: size, channels } = description.network;
  if (size === 1) throw new UserError("evaluate: this model draws points, not images; compare measures those");
  const labels = chooseLabels(null, description);
  const hash = createHash("sha256");
  for (const values of Object.values(weights)) hash.update(new Uint8Array(values.buffer));
  const generator = await Generator.create(runtime, description, { ...draw, batch: Math.min(100, block) }, weights);
  const read = async (first: number, n: number): Promise<Images> => {
    const drawn = await collect(generator.generate({ first, count: first + n, labels, seed }));
    return { pixels: channelsLast(toBytes(drawn.images), n, channels, size), labels: drawn.labels };
  };
  const identity = digest(["model", description, hash.digest("hex"), draw, seed]);
  const { classes } = description;
  return { name: source, identity, size, length: count, classes, read, close: async () => generator.release() };
};
