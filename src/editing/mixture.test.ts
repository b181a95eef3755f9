import { expect, test } from "vitest";
import { sampleNoise } from "../random/sampleNoise.js";
import { mixtureOf, wantedImages } from "./mixture.js";
import { mixNoise } from "./noise.js";

test("a seed alone is its own noise at every move; a mixture mixes every move alike", () => {
  const parts = [
    { seed: 1, index: 4, weight: 0.6 },
    { seed: 2, weight: -1 },
  ];
  for (const move of [0, 1, 5]) {
    expect([...mixtureOf([{ seed: 1, index: 4 }], 20)(move)]).toEqual([...sampleNoise(1, 4, move, 20)]);
    const noises = parts.map(({ seed, index = 0, weight }) => ({ noise: sampleNoise(seed, index, move, 20), weight }));
    expect([...mixtureOf(parts, 20)(move)]).toEqual([...mixNoise(noises)]);
  }
});

test("a request names its images: by count, seed and labels in turn, or each by itself", () => {
  expect(wantedImages({}, 3)).toEqual([{ label: 0, noise: [{ seed: 0, index: 0 }] }]);
  expect(wantedImages({ count: 4, seed: 7 }, 3).map(({ label }) => label)).toEqual([0, 1, 2, 0]);
  expect(wantedImages({ count: 2 }, 0).map(({ label }) => label)).toEqual([0, 0]);
  expect(wantedImages({ count: 3, labels: [5, 6], seed: 7 }, 9)).toEqual([
    { label: 5, noise: [{ seed: 7, index: 0 }] },
    { label: 6, noise: [{ seed: 7, index: 1 }] },
    { label: 5, noise: [{ seed: 7, index: 2 }] },
  ]);
  const noise = [{ seed: 1, weight: 2 }];
  expect(wantedImages({ images: [{ noise }, { label: 3, noise }] }, 9)).toEqual([
    { label: 0, noise },
    { label: 3, noise },
  ]);
});
