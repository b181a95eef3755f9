import type { Key } from "../../random/random.js";
import type { ImageShape } from "../dataset.js";
import { type Affine, after, IDENTITY } from "./affine.js";
import { transformed } from "./resample.js";
import { TRANSFORMATION_NAMES, TRANSFORMATIONS, type TransformationName } from "./transformations.js";

export type AugmentOptions = {
  /** p in [0, 1]: how probable each transformation is, for each image by itself; 0 changes nothing, x-flip included. */
  readonly probability: number;
  /** Which there are; those of the CIFAR-10 recipes where it is left out. */
  readonly transformations?: readonly TransformationName[];
};

/** What EDM's CIFAR-10 pipeline has without y-flip and rotation, as in the recipes of SoFlow and MeanFlow. */
export const CIFAR10_TRANSFORMATIONS: readonly TransformationName[] = [
  "x-flip",
  "scaling",
  "anisotropy",
  "translation",
];

/** Numbers that the network is told of an image: 6 for CIFAR-10's recipe, 9 with all transformations. */
export const augmentLabels = (chosen: readonly TransformationName[] = CIFAR10_TRANSFORMATIONS): number =>
  chosen.reduce((n, name) => n + TRANSFORMATIONS[name].labels([0, 0]).length, 0);

/** Parameters of each transformation, in order; all 0 for one that is not applied. */
export type Drawn = readonly { readonly name: TransformationName; readonly a: readonly number[] }[];

/** Draws what happens to one image. Each transformation is drawn from a key of its own. */
export const drawAugmentation = (
  { probability, transformations = CIFAR10_TRANSFORMATIONS }: AugmentOptions,
  key: Key,
): Drawn =>
  TRANSFORMATION_NAMES.filter((name) => transformations.includes(name)).map((name) => {
    const { always, draw } = TRANSFORMATIONS[name];
    const a = draw(key.fold(name));
    const considered = always && probability > 0 ? 1 : probability;
    const applied = key.fold("apply").fold(name).uniform(1)[0]! < considered;
    return { name, a: applied ? a : a.map(() => 0) };
  });

/** Where the transformations together, one after another, take a point. */
export const matrixOf = (drawn: Drawn, { width, height }: ImageShape): Affine =>
  drawn.reduce((before, { name, a }) => after(TRANSFORMATIONS[name].matrix(a, width, height), before), IDENTITY);

/** What the network is told. */
export const labelsOf = (drawn: Drawn): readonly number[] =>
  drawn.flatMap(({ name, a }) => TRANSFORMATIONS[name].labels(a));

/**
 * Augments an image [C H W] in place, by all its transformations composed into one; an image that none is applied to
 * keeps its bits. EDM filters with a wavelet on an image of twice the size; here one Lanczos kernel does both at once.
 */
export const augmentImage = (image: Float32Array, shape: ImageShape, drawn: Drawn): void => {
  if (drawn.every(({ a }) => a.every((value) => value === 0))) return;
  image.set(transformed(image, shape, matrixOf(drawn, shape)));
};
