import { expect, test } from "vitest";
import type { Sample } from "../dataset.js";
import { type GlyphsOptions, openGlyphs } from "./glyphs.js";
import { type Contour, flatten } from "./outline.js";
import { rasterise } from "./rasterise.js";

const OPTIONS: GlyphsOptions = { size: 16, channels: 1, samples: 600, seed: 1, split: "train" };

type Drawn = Omit<Sample, "pixels"> & { readonly pixels: Uint8Array };

const draw = async (options: Partial<GlyphsOptions> = {}, count = 600): Promise<Drawn[]> => {
  const dataset = await openGlyphs({ ...OPTIONS, ...options });
  const samples = await Promise.all(Array.from({ length: count }, (_, i) => dataset.read(i)));
  return samples as Drawn[]; // glyphs are bytes
};
const bytes = (samples: readonly Drawn[]): Set<string> =>
  new Set(samples.map(({ pixels }) => Buffer.from(pixels).toString("hex")));

test("splits and seeds share no image, and hardly any image comes twice", async () => {
  const [train, test, other] = [
    bytes(await draw()),
    bytes(await draw({ split: "test" })),
    bytes(await draw({ seed: 2 })),
  ];
  expect(train.size).toBeGreaterThan(595);
  for (const set of [test, other]) expect([...set].filter((image) => train.has(image))).toEqual([]);
});

test("sample i does not depend on how many there are", async () => {
  expect(await draw({ samples: 50 }, 50)).toEqual(await draw({ samples: 1_000_000 }, 50));
});

test.each([8, 16, 32, 64])("at %i pixels digits are bright on black", async (size) => {
  for (const { pixels, label } of await draw({ size }, 200)) {
    const ink = pixels.reduce((sum, value) => sum + value, 0) / (255 * size * size);
    expect(ink, `label ${label}`).toBeGreaterThan(0.02);
    expect(ink, `label ${label}`).toBeLessThan(0.4);
    expect(Math.max(...pixels)).toBeGreaterThan(size === 8 ? 80 : 140); // thin strokes cover part of a pixel
  }
});

test("no digit reaches the edge of the frame: the jitter scales with the size, so 64 pixels tell for all", async () => {
  const onEdge = (i: number): boolean => i % 64 === 0 || i % 64 === 63 || i < 64 || i >= 64 * 63;
  for (const { pixels } of await draw({ size: 64 })) expect(Math.max(...pixels.filter((_, i) => onEdge(i)))).toBe(0);
});

test("in colour, the brightest pixel stands well off the corner", async () => {
  const brightness = (pixels: Uint8Array, i: number) => pixels[i]! + pixels[i + 1]! + pixels[i + 2]!;
  for (const { pixels } of await draw({ channels: 3, size: 32 }, 200)) {
    const all = Array.from({ length: 32 * 32 }, (_, i) => brightness(pixels, 3 * i));
    expect(Math.max(...all) - all[0]!).toBeGreaterThan(200);
  }
});

test("the ten digits differ more between labels than within, as the nearest mean tells", async () => {
  const samples = await draw({}, 600);
  const mean = (label: number): number[] => {
    const own = samples.filter((sample) => sample.label === label);
    return Array.from({ length: 256 }, (_, i) => own.reduce((sum, { pixels }) => sum + pixels[i]!, 0) / own.length);
  };
  const means = Array.from({ length: 10 }, (_, label) => mean(label));
  const distance = (pixels: Uint8Array, center: readonly number[]) =>
    center.reduce((sum, value, i) => sum + (value - pixels[i]!) ** 2, 0);
  const nearest = ({ pixels }: Drawn) => {
    const distances = means.map((center) => distance(pixels, center));
    return distances.indexOf(Math.min(...distances));
  };
  const heldOut = await draw({ split: "test" }, 300);
  const right = heldOut.filter((sample) => nearest(sample) === sample.label).length;
  expect(right / heldOut.length).toBeGreaterThan(0.6); // chance: 0.1
});

const total = (coverage: Float32Array): number => coverage.reduce((sum, value) => sum + value, 0);
const square = (x: number, y: number, side: number): Contour => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
];

test("coverage adds up to the area of a shape, and lies between 0 and 1", () => {
  const disc: Contour = Array.from({ length: 64 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 64;
    return [8.3 + 5 * Math.cos(angle), 7.6 + 5 * Math.sin(angle)] as const;
  });
  const coverage = rasterise([disc], 16, 16);
  expect(Math.abs(total(coverage) / (Math.PI * 25) - 1)).toBeLessThan(0.01);
  for (const value of coverage) expect(value >= 0 && value <= 1 + 1e-6).toBe(true);
});

test("a square on the grid fills its pixels exactly", () => {
  const coverage = rasterise([square(1, 1, 2)], 4, 4);
  const wanted = [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0];
  wanted.forEach((value, i) => {
    expect(coverage[i]).toBeCloseTo(value, 6);
  });
});

test("the non-zero rule: a hole is cut by the opposite turn alone; overlaps count once", () => {
  const [outer, inner] = [square(2, 2, 12), square(5, 5, 6)];
  expect(total(rasterise([outer, inner.toReversed()], 16, 16))).toBeCloseTo(144 - 36, 3);
  expect(total(rasterise([outer, inner], 16, 16))).toBeCloseTo(144, 3);
});

test("what lies outside the frame is cut off, on every side", () => {
  for (const [x, y] of [
    [-6, 4],
    [10, 4],
    [4, -6],
    [4, 10],
  ] as const)
    expect(total(rasterise([square(x, y, 12)], 16, 16))).toBeCloseTo(6 * 12, 3);
  expect(total(rasterise([square(20, 20, 5), square(-20, -20, 5)], 16, 16))).toBe(0);
});

test("curves are flattened on to the Bézier curve and end at its end", () => {
  const [quadratic] = flatten([{ type: "M", x: 0, y: 0 }, { type: "Q", x1: 1, y1: 2, x: 2, y: 0 }, { type: "Z" }]);
  for (const [x, y] of quadratic!) expect(y).toBeCloseTo(x * (2 - x), 12); // y = 4t(1−t), x = 2t
  expect(quadratic!.at(-1)).toEqual([2, 0]);
  const [cubic] = flatten([
    { type: "M", x: 0, y: 0 },
    { type: "C", x1: 1, y1: 0, x2: 2, y2: 0, x: 3, y: 3 },
  ]);
  for (const [x, y] of cubic!) expect(y).toBeCloseTo(3 * (x / 3) ** 3, 12); // x = 3t, y = 3t³
});
