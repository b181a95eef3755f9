import type { Key } from "../../random/random.js";
import { type Affine, after, rotation2d, scaling2d, translation2d } from "./affine.js";

/** Factor of one standard deviation of scaling and of anisotropy. */
const STRETCH = 2 ** 0.2;
/** One standard deviation of translation, as a share of the image's side. */
const SHIFT = 1 / 8;

export type TransformationName = "x-flip" | "y-flip" | "scaling" | "rotation" | "anisotropy" | "translation";

/** A random geometric transformation. Parameters of 0 are the identity, with labels of 0. */
export type Transformation = {
  /** Considered for every image, however small the probability of the others. */
  readonly always?: true;
  /** Its parameters a, drawn from their distribution. */
  readonly draw: (key: Key) => readonly number[];
  /** What the network is told of them. */
  readonly labels: (a: readonly number[]) => readonly number[];
  /** Where it takes a point of an image of this many pixels. */
  readonly matrix: (a: readonly number[], width: number, height: number) => Affine;
};

const coin = (key: Key): readonly number[] => [...key.integers(1, 2)];
/** From [−π, π). */
const angle = (key: Key): number => Math.PI * (2 * key.uniform(1)[0]! - 1);

/**
 * The geometric augmentations of EDM in the order in which they are applied: Karras et al. 2022, arXiv:2206.00364,
 * appendix F.2 and its table of parameters.
 */
export const TRANSFORMATIONS: Readonly<Record<TransformationName, Transformation>> = {
  /** Mirrored left to right for a = 1, a ~ {0, 1}. The recipes consider it always: it is part of the data set. */
  "x-flip": {
    always: true,
    draw: coin,
    labels: ([a]) => [a!],
    matrix: ([a]) => scaling2d(1 - 2 * a!, 1),
  },
  /** Upside down for a = 1, a ~ {0, 1}. */
  "y-flip": {
    draw: coin,
    labels: ([a]) => [a!],
    matrix: ([a]) => scaling2d(1, 1 - 2 * a!),
  },
  /** Larger by 2^(0.2 a), a ~ N(0, 1). */
  scaling: {
    draw: (key) => [...key.normal(1)],
    labels: ([a]) => [a!],
    matrix: ([a]) => scaling2d(STRETCH ** a!, STRETCH ** a!),
  },
  /** Turned by −a, a ~ U(−π, π). */
  rotation: {
    draw: (key) => [angle(key)],
    labels: ([a]) => [Math.cos(a!) - 1, Math.sin(a!)],
    matrix: ([a]) => rotation2d(-a!),
  },
  /** Longer by 2^(0.2 b) along the direction a and shorter by that across it, a ~ U(−π, π), b ~ N(0, 1). */
  anisotropy: {
    draw: (key) => [angle(key.fold("angle")), ...key.normal(1)],
    labels: ([a, b]) => [b! * Math.cos(a!), b! * Math.sin(a!)], // as published: (a, b) and (a + π, −b) look alike
    matrix: ([a, b]) => after(rotation2d(a!), after(scaling2d(STRETCH ** b!, 1 / STRETCH ** b!), rotation2d(-a!))),
  },
  /** Moved by a and b eighths of the image's sides, a, b ~ N(0, 1). */
  translation: {
    draw: (key) => [...key.normal(2)],
    labels: ([a, b]) => [a!, b!],
    matrix: ([a, b], width, height) => translation2d(SHIFT * width * a!, SHIFT * height * b!),
  },
};

/** The order of matrices and of labels. */
export const TRANSFORMATION_NAMES = Object.keys(TRANSFORMATIONS) as readonly TransformationName[];
