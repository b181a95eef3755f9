import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeNpy, type NpyArray } from "../../formats/npz.js";
import { npzImages } from "./imageSet.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-npz-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COUNT = 300;
const SIDE = 16;
const IMAGES: NpyArray = {
  shape: [COUNT, SIDE, SIDE, 3],
  data: Uint8Array.from({ length: COUNT * SIDE * SIDE * 3 }, (_, i) => (i * i + (i >> 9)) % 251),
};
const labelsOf = (data: NpyArray["data"]): NpyArray => ({ shape: [data.length], data });

const written = async (name: string, arrays: Readonly<Record<string, NpyArray>>, level: 0 | 6): Promise<string> => {
  const members = Object.entries(arrays).map(([key, array]) => [`${key}.npy`, encodeNpy(array)] as const);
  await writeFile(join(folder, name), zipSync(Object.fromEntries(members), { level }));
  return join(folder, name);
};

test("compressed images are those that are stored, read forwards, backwards and at the same time", async () => {
  const arr_1 = labelsOf(BigInt64Array.from({ length: COUNT }, (_, i) => BigInt(i % 7)));
  const [stored, packed] = [
    await npzImages(await written("stored.npz", { arr_0: IMAGES, arr_1 }, 0)),
    await npzImages(await written("packed.npz", { arr_0: IMAGES, arr_1 }, 6)),
  ];
  const ranges = [
    [0, 10],
    [250, 50],
    [3, 200],
    [299, 1],
    [0, COUNT],
  ] as const;
  const found = await Promise.all(ranges.map(([first, n]) => packed.read(first, n)));
  for (const [i, [first, n]] of ranges.entries()) expect(found[i]).toEqual(await stored.read(first, n));
  expect(packed.classes).toEqual(stored.classes);
  await Promise.all([stored.close(), packed.close()]);
});

test.each([
  [
    "a label of two billion",
    {
      arr_0: { ...IMAGES, shape: [COUNT, SIDE, SIDE, 3] },
      arr_1: labelsOf(new BigInt64Array(COUNT).fill(2_000_000_000n)),
    },
    "label 0 is 2000000000; a label is a whole number from 0 to 65535",
  ],
  [
    "a negative label",
    { arr_0: IMAGES, arr_1: labelsOf(new BigInt64Array(COUNT).fill(-1n)) },
    "label 0 is -1; a label is a whole number from 0 to 65535",
  ],
  [
    "a label that is no whole number",
    { arr_0: IMAGES, arr_1: labelsOf(new Float32Array(COUNT).fill(0.5)) },
    "label 0 is 0.5; a label is a whole number from 0 to 65535",
  ],
  [
    "labels of other images",
    { arr_0: IMAGES, arr_1: labelsOf(new BigInt64Array(2)) },
    "arr_1 has 2 labels, arr_0 has 300 images; there must be as many",
  ],
  [
    "images without pixels",
    { arr_0: { shape: [2 ** 40, 0, 0, 3], data: new Uint8Array(0) } },
    "arr_0 is [1099511627776, 0, 0, 3]; its images have no pixels",
  ],
] as const)("%s is refused", async (name, arrays, message) => {
  const path = await written(`${name.replaceAll(" ", "-")}.npz`, arrays as Record<string, NpyArray>, 0);
  await expect(npzImages(path)).rejects.toThrow(`${path}: ${message}`);
});

test("more than 120,000 labels are read", async () => {
  const n = 200_000;
  const arr_0: NpyArray = { shape: [n, 1, 1, 1], data: new Uint8Array(n) };
  const set = await npzImages(await written("many.npz", { arr_0, arr_1: labelsOf(new BigInt64Array(n).fill(2n)) }, 0));
  expect([set.length, set.classes]).toEqual([n, ["0", "1", "2"]]);
  await set.close();
});
