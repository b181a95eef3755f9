import { z } from "zod";
import { augmentLabels, type PointsName } from "../../data/index.js";
import { count, type Problem, share, text } from "../../fields.js";

const POINTS_NAMES = [
  "checkerboard",
  "moons",
  "gaussians8",
  "swiss-roll",
  "gaussian",
] as const satisfies readonly PointsName[];

const common = {
  flip: z.boolean().default(false).describe("mirror each image left to right with probability 1/2"),
  augment: share()
    .default(0)
    .describe("EDM's augmentation: probability of each transformation; CIFAR-10's recipes use 0.12; 0 is none"),
  labels: z.boolean().default(true).describe("learn which label an image has, where there are labels"),
  onError: z
    .enum(["stop", "skip"])
    .default("stop")
    .describe("what an unreadable image does: stop the run, or be skipped"),
  workers: count().default(2).describe("images decoded at the same time, ahead of training and off its thread"),
};

const kind = <const K extends string>(name: K, meaning: string) => z.literal(name).describe(meaning);
const size = () => count(4);
const channels = () => z.literal([1, 3]);
const maxPixels = () =>
  count().optional().describe("pixels of the largest image that is decoded; 64 million by default");

export const dataSchema = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: kind("glyphs", "drawn shapes with labels, made on the fly; needs no files"),
      size: size().default(16).describe("side of an image, in pixels"),
      channels: channels().default(1).describe("1 is grey, 3 is RGB"),
      samples: count().default(60000).describe("number of different images"),
      ...common,
    }),
    z.strictObject({
      kind: kind("folder", "a folder of images; its subfolders, where it has them, are the labels"),
      path: text().describe("the folder, relative to the working directory"),
      size: size().describe("side of an image, in pixels; larger ones are cropped square and scaled down"),
      channels: channels().default(3).describe("1 is grey, 3 is RGB"),
      maxPixels: maxPixels(),
      ...common,
    }),
    z.strictObject({
      kind: kind("webdataset", "tar files of images with .cls labels"),
      path: text().describe("one tar or a pattern such as shards/train-*.tar, relative to the working directory"),
      size: size().default(32).describe("side of an image, in pixels"),
      channels: channels().default(3).describe("1 is grey, 3 is RGB"),
      maxPixels: maxPixels(),
      ...common,
    }),
    z.strictObject({
      kind: kind("cifar10", "CIFAR-10 in its binary form: 32×32 RGB, 10 labels"),
      path: text().describe("the folder that holds data_batch_1.bin, relative to the working directory"),
      ...common,
    }),
    z.strictObject({
      kind: kind("mnist", "MNIST or Fashion-MNIST in IDX form: 28×28 grey, 10 labels"),
      path: text().describe("the folder that holds train-images-idx3-ubyte, relative to the working directory"),
      ...common,
    }),
    z.strictObject({
      kind: kind("latents", "latents of images, as soflow encode and the official script write them"),
      path: text().describe("the .h5 or .hdf5 file or its folder, relative to the working directory"),
      size: count().default(32).describe("side of a latent: an eighth of the images'"),
      channels: count().default(4).describe("channels of a latent"),
      classes: count().optional().describe("number of labels, where the file lacks some of them"),
      ...common,
      flip: z.literal(false).default(false).describe("latents cannot be mirrored; encode both orientations instead"),
    }),
    z.strictObject({
      kind: kind("points", "points in the plane from a known distribution; needs no files"),
      name: z.enum(POINTS_NAMES).describe("the distribution"),
      samples: count().default(1_000_000).describe("number of different points"),
      ...common,
    }),
  ])
  .describe("the images to learn from");

export type DataConfig = z.output<typeof dataSchema>;

const fixedShapes = {
  cifar10: { size: 32, channels: 3 },
  mnist: { size: 28, channels: 1 },
  points: { size: 1, channels: 2 },
} as const;

/** Side in pixels and number of channels of the images that the network sees. */
export const imageShape = (data: DataConfig): { readonly size: number; readonly channels: number } =>
  data.kind === "cifar10" || data.kind === "mnist" || data.kind === "points"
    ? fixedShapes[data.kind]
    : { size: data.size, channels: data.channels };

/** What does not fit in a data section; `told`: numbers that the network takes of how an image was augmented. */
export const dataProblem = ({ kind, augment, flip }: DataConfig, told: number): Problem | undefined => {
  if (augment === 0) return undefined;
  if (kind === "points" || kind === "latents")
    return { field: "augment", text: `is ${augment}; ${kind} are not pixels, it must be 0` };
  if (flip)
    return { field: "flip", text: "is true besides data.augment, which mirrors images itself; keep one of the two" };
  if (told === augmentLabels()) return undefined;
  const taken = told === 0 ? "this one is told nothing" : `this one takes ${told}`;
  return {
    field: "augment",
    text: `is ${augment}, which gives the network ${augmentLabels()} numbers to tell augmented images by; ${taken}: it needs a unet with model.augment ${augmentLabels()}, such as model.name DDPM++`,
  };
};
