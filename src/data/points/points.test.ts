import { describe, expect, test } from "vitest";
import { slicedWasserstein } from "../../eval/index.js";
import { Loader } from "../loader.js";
import { DISTRIBUTIONS, GAUSSIAN, type PointsName } from "./distributions.js";
import { drawPoints, openPoints } from "./points.js";

const NAMES = Object.keys(DISTRIBUTIONS) as PointsName[];
const N = 4000;

const axis = (points: Float32Array, d: 0 | 1): Float64Array =>
  Float64Array.from({ length: points.length / 2 }, (_, i) => points[2 * i + d]!);
const meanOf = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviationOf = (values: Float64Array): number => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((v) => (v - mean) ** 2)));
};

describe.each(NAMES)("%s", (name) => {
  const points = drawPoints(name, 0, "train", N);

  test("has mean about 0 and deviation about 1 on each axis (the Gaussian: its own)", () => {
    for (const d of [0, 1] as const) {
      const wanted = name === "gaussian" ? { m: GAUSSIAN.mean[d], s: GAUSSIAN.deviation[d] } : { m: 0, s: 1 };
      expect(Math.abs(meanOf(axis(points, d)) - wanted.m)).toBeLessThan(0.1);
      expect(deviationOf(axis(points, d)) / wanted.s).toBeGreaterThan(0.85);
      expect(deviationOf(axis(points, d)) / wanted.s).toBeLessThan(1.15);
    }
  });

  test("the same seed and split give the same points, others give others of the same distribution", () => {
    expect(drawPoints(name, 0, "train", 50)).toEqual(points.slice(0, 100));
    const distance = (other: Float32Array) =>
      slicedWasserstein(points, other, { dimensions: 2, projections: 12, seed: 0 });
    for (const other of [drawPoints(name, 1, "train", N), drawPoints(name, 0, "test", N)]) {
      expect(other.slice(0, 2)).not.toEqual(points.slice(0, 2));
      expect(distance(other)).toBeLessThan(0.11);
    }
    for (const foreign of NAMES.filter((each) => each !== name))
      expect(distance(drawPoints(foreign, 0, "train", N)), foreign).toBeGreaterThan(0.11);
  });

  test("as a dataset it holds the same points, all labels, and loads as floats", async () => {
    const dataset = openPoints({ name, samples: 1000, seed: 0, split: "train" });
    const labels = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const { pixels, label } = await dataset.read(i);
      expect(pixels).toEqual(points.slice(2 * i, 2 * i + 2));
      labels.add(label);
    }
    expect(labels.size).toBe(dataset.classes.length);
    const order = { seed: 0, batch: 8, startStep: 0, flip: false, onError: "stop", ahead: 0 } as const;
    const { images, positions } = await new Loader(dataset, order).next();
    positions.forEach((position, j) => {
      expect(images.slice(2 * j, 2 * j + 2)).toEqual(points.slice(2 * position, 2 * position + 2));
    });
  });
});

test("every square of the checkerboard is filled or empty, alternately", () => {
  const points = drawPoints("checkerboard", 0, "train", N);
  const side = Math.sqrt(3) / 2;
  const counts = new Map<string, number>();
  let odd = 0;
  for (let i = 0; i < N; i++) {
    const [column, row] = [Math.floor(points[2 * i]! / side), Math.floor(points[2 * i + 1]! / side)];
    counts.set(`${column} ${row}`, (counts.get(`${column} ${row}`) ?? 0) + 1);
    odd += Math.abs((column + row) % 2);
  }
  expect(odd).toBe(0);
  expect(counts.size).toBe(8);
  for (const count of counts.values()) expect(Math.abs(count / (N / 8) - 1)).toBeLessThan(0.2);
});

test("points that are not there", () => {
  expect(() => drawPoints("spiral" as PointsName, 0, "train", 1)).toThrow(
    "there are no points named spiral; choose checkerboard, moons, gaussians8, swiss-roll or gaussian",
  );
});
