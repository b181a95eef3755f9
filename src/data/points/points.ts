import { oneOf, UserError } from "../../errors.js";
import { type Key, key } from "../../random/random.js";
import type { Dataset } from "../dataset.js";
import { DISTRIBUTIONS, type Distribution, type PointsName } from "./distributions.js";

export type PointsOptions = {
  readonly name: PointsName;
  /** Number of different points. */
  readonly samples: number;
  readonly seed: number;
  /** The two splits share no draw. */
  readonly split: "train" | "test";
};

const distributionOf = (name: string): Distribution => {
  const known: Readonly<Record<string, Distribution>> = DISTRIBUTIONS;
  if (!Object.hasOwn(known, name))
    throw new UserError(`there are no points named ${name}; choose ${oneOf(Object.keys(known))}`);
  return known[name]!;
};

const rootKey = (seed: number, split: string): Key => key(seed).fold(`points-${split}`);

/** The first `count` points of a distribution, [count 2] row by row: what a dataset of the same seed and split holds. */
export const drawPoints = (
  name: PointsName,
  seed: number,
  split: PointsOptions["split"],
  count: number,
): Float32Array<ArrayBuffer> => {
  const [{ draw }, root] = [distributionOf(name), rootKey(seed, split)];
  const points = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const { x, y } = draw(root.fold(i));
    points.set([x, y], 2 * i);
  }
  return points;
};

/** Points as a dataset of "images" of two channels and one pixel: point i depends on (seed, split, i) alone. */
export const openPoints = ({ name, samples, seed, split }: PointsOptions): Dataset => {
  const [{ classes, draw }, root] = [distributionOf(name), rootKey(seed, split)];
  return {
    name: `${name} points (${split})`,
    shape: { channels: 2, height: 1, width: 1 },
    classes,
    length: samples,
    read: async (index) => {
      const { x, y, label } = draw(root.fold(index));
      return { pixels: Float32Array.of(x, y), label };
    },
    source: (index) => `point ${index}`,
    close: async () => {},
  };
};
