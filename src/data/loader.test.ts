import { array, assert, asyncProperty, boolean, integer, nat, property, record, uniqueArray } from "fast-check";
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { key } from "../random/random.js";
import { cached, type Dataset, UnusableSample } from "./dataset.js";
import { type Batch, Loader, type LoaderOptions, samplingOrder } from "./loader.js";

const SHAPE = { channels: 3, height: 2, width: 4 } as const;
const SIZE = 24;

/** A dataset whose sample i is known by its bytes; samples in `broken` cannot be read. */
const numbered = (length: number, broken: readonly number[] = []): Dataset => ({
  name: "numbered",
  shape: SHAPE,
  classes: Array.from({ length }, (_, i) => String(i)),
  length,
  read: async (i) => {
    if (broken.includes(i)) throw new UserError(`sample ${i} is broken`);
    return { pixels: Uint8Array.from({ length: SIZE }, (_, b) => (i * 29 + b * 7) % 256), label: i };
  },
  source: (i) => `file ${i}`,
  close: async () => {},
});

const OPTIONS: LoaderOptions = { seed: 3, batch: 5, startStep: 0, flip: true, onError: "stop" };

const take = async (loader: Loader, count: number): Promise<Batch[]> => {
  const batches: Batch[] = [];
  for (let i = 0; i < count; i++) batches.push(await loader.next());
  return batches;
};

const orders = record({ seed: nat(), length: integer({ min: 1, max: 40 }) });

test("each epoch is a permutation of the dataset", () => {
  assert(
    property(orders, nat(5), ({ seed, length }, epoch) => {
      const order = samplingOrder(seed, length);
      const seen = Array.from({ length }, (_, i) => order(epoch * length + i));
      expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
    }),
  );
});

test("the order of a global index does not depend on what was asked before it", () => {
  assert(
    property(orders, array(nat(400), { maxLength: 30 }), ({ seed, length }, asked) => {
      const order = samplingOrder(seed, length);
      for (const g of asked) expect(order(g)).toBe(samplingOrder(seed, length)(g));
    }),
  );
});

test("the order is that of the key folded with data-order and the epoch, so that old runs go on as they began", () => {
  assert(
    property(orders, nat(400), ({ seed, length }, g) => {
      const order = key(seed)
        .fold("data-order")
        .fold(Math.floor(g / length))
        .permutation(length);
      expect(samplingOrder(seed, length)(g)).toBe(order[g % length]);
    }),
  );
});

test("epochs and seeds differ in their order", () => {
  const epoch = (seed: number, e: number) => Array.from({ length: 50 }, (_, i) => samplingOrder(seed, 50)(e * 50 + i));
  expect(epoch(1, 0)).not.toEqual(epoch(1, 1));
  expect(epoch(1, 0)).not.toEqual(epoch(2, 0));
});

test("a loader that starts at step k gives what an uninterrupted one gives from there", async () => {
  const runs = record({ length: integer({ min: 1, max: 20 }), batch: integer({ min: 1, max: 9 }), flip: boolean() });
  await assert(
    asyncProperty(runs, nat(6), nat(4), async ({ length, batch, flip }, startStep, ahead) => {
      const options = { ...OPTIONS, batch, flip };
      const whole = await take(new Loader(numbered(length), options), startStep + 3);
      const resumed = await take(new Loader(numbered(length), { ...options, startStep, ahead }), 3);
      expect(resumed).toEqual(whole.slice(startStep));
      expect(resumed.map(({ step }) => step)).toEqual([startStep, startStep + 1, startStep + 2]);
    }),
    { numRuns: 50 },
  );
});

test("a global index is the same sample, mirrored or not, at every batch size", async () => {
  const flat = async (batch: number) => {
    const batches = await take(new Loader(numbered(11), { ...OPTIONS, batch }), 24 / batch);
    return {
      images: batches.flatMap(({ images }) => [...images]),
      labels: batches.flatMap(({ labels }) => [...labels]),
      indices: batches.flatMap(({ indices }) => [...indices]),
      positions: batches.flatMap(({ positions }) => [...positions]),
    };
  };
  const one = await flat(1);
  expect(one.indices).toEqual(Array.from({ length: 24 }, (_, g) => g));
  for (const batch of [2, 3, 8, 24]) expect(await flat(batch)).toEqual(one);
});

test("flip mirrors about half of the images, left to right, and nothing else", async () => {
  const options = { ...OPTIONS, batch: 400, ahead: 0 };
  const [plain] = await take(new Loader(numbered(9), { ...options, flip: false }), 1);
  const [flipped] = await take(new Loader(numbered(9), options), 1);
  const rows = ({ images }: Batch, j: number) =>
    Array.from({ length: 6 }, (_, r) => [...images.subarray(j * SIZE + r * 4, j * SIZE + (r + 1) * 4)]);
  let mirrored = 0;
  for (let j = 0; j < 400; j++) {
    const [before, after] = [rows(plain!, j), rows(flipped!, j)];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    expect(after).toEqual(before.map((row) => row.toReversed()));
    mirrored++;
  }
  expect(mirrored).toBeGreaterThan(150); // 200 ± 10 by chance
  expect(mirrored).toBeLessThan(250);
});

test("with skip, broken samples are replaced by the next readable one and named once", async () => {
  await assert(
    asyncProperty(uniqueArray(nat(9), { maxLength: 9 }), async (broken) => {
      const skipping = { ...OPTIONS, flip: false, onError: "skip" } as const;
      const loader = new Loader(numbered(10, broken), skipping);
      const [first, second] = await take(loader, 2); // ten samples: one epoch
      const wanted = (position: number): number => (broken.includes(position) ? wanted((position + 1) % 10) : position);
      for (const { labels, positions } of [first!, second!])
        expect([...labels]).toEqual(positions.map((position) => BigInt(wanted(position))));
      const named = broken.map((i) => `file ${i}: sample ${i} is broken`);
      expect([...loader.skipped].sort()).toEqual(named.sort());
      expect(await take(new Loader(numbered(10, broken), skipping), 2)).toEqual([first, second]);
    }),
    { numRuns: 30 },
  );
});

test("with stop, the batch of a broken sample rejects when its turn comes", async () => {
  const loader = new Loader(numbered(4, [2]), { ...OPTIONS, batch: 1 });
  const turn = [0, 1, 2, 3].findIndex((g) => samplingOrder(OPTIONS.seed, 4)(g) === 2);
  await take(loader, turn);
  await expect(loader.next()).rejects.toThrow(new UnusableSample("sample 2 is broken"));
});

test("when nothing can be read, skip says so instead of looking for ever", async () => {
  const loader = new Loader(numbered(3, [0, 1, 2]), { ...OPTIONS, onError: "skip" });
  await expect(loader.next()).rejects.toThrow("numbered: none of the 3 images could be read");
});

test("a fault of the program is not skipped", async () => {
  const faulty: Dataset = { ...numbered(3), read: () => Promise.reject(new TypeError("a bug")) };
  await expect(new Loader(faulty, { ...OPTIONS, onError: "skip" }).next()).rejects.toThrow(TypeError);
});

test("ready waits for the next batch and leaves it", async () => {
  const loader = new Loader(numbered(8), OPTIONS);
  await loader.ready();
  expect((await loader.next()).step).toBe(0);
  await expect(new Loader(numbered(1, [0]), OPTIONS).ready()).rejects.toThrow("sample 0 is broken");
});

test("the cache reads each sample once, up to its limit of bytes", async () => {
  const reads: number[] = [];
  const base = numbered(5);
  const read = (i: number) => {
    reads.push(i);
    return base.read(i);
  };
  const counting: Dataset = { ...base, read };
  const dataset = cached(counting, 3 * SIZE);
  for (let epoch = 0; epoch < 2; epoch++)
    for (let i = 0; i < 5; i++) expect(await dataset.read(i)).toEqual(await base.read(i));
  expect(reads).toEqual([0, 1, 2, 3, 4, 3, 4]);
});

test("augmented, a sample is the same in an epoch at every batch size, and after a resume; the next epoch has another", async () => {
  const options = { ...OPTIONS, flip: false, augment: 0.5 };
  const flat = async (batch: number, startStep = 0) => {
    const batches = await take(
      new Loader(numbered(12), { ...options, batch, startStep }),
      (24 - startStep * batch) / batch,
    );
    return {
      images: batches.flatMap(({ images }) => [...images]),
      augment: batches.flatMap(({ augment }) => [...augment!]),
    };
  };
  const one = await flat(1);
  expect(one.augment).toHaveLength(24 * 6);
  for (const batch of [2, 8, 24]) expect(await flat(batch)).toEqual(one);
  const late = await flat(4, 3);
  expect(late).toEqual({ images: one.images.slice(12 * SIZE), augment: one.augment.slice(12 * 6) });
  const positions = [0, 1].map((epoch) => Array.from({ length: 12 }, (_, i) => samplingOrder(3, 12)(12 * epoch + i)));
  const told = (epoch: number, position: number) => {
    const at = 12 * epoch + positions[epoch]!.indexOf(position);
    return one.augment.slice(6 * at, 6 * at + 6);
  };
  const same = positions[0]!.filter((position) => `${told(0, position)}` === `${told(1, position)}`);
  expect(same.length).toBeLessThan(4); // by chance, where nothing was applied
});

test("labels and images belong together: those without any are untouched, mirrored ones are mirrored", async () => {
  const options = { ...OPTIONS, flip: false, batch: 300, ahead: 0 };
  const [plain] = await take(new Loader(numbered(9), options), 1);
  const [augmented] = await take(new Loader(numbered(9), { ...options, augment: 0.12 }), 1);
  const kinds = { none: 0, mirrored: 0, other: 0 };
  for (let j = 0; j < 300; j++) {
    const [before, after] = [plain!, augmented!].map(({ images }) => [...images.subarray(j * SIZE, (j + 1) * SIZE)]);
    const [flip, ...rest] = augmented!.augment!.subarray(6 * j, 6 * j + 6);
    const mirrored = before!.map((_, i) => before![i - (i % 4) + 3 - (i % 4)]!);
    if (rest.some((label) => label !== 0)) kinds.other++;
    else if (flip) kinds.mirrored++;
    else kinds.none++;
    if (rest.every((label) => label === 0)) expect(after).toEqual(flip ? mirrored : before);
    else expect(after).not.toEqual(before);
  }
  expect(Math.min(...Object.values(kinds))).toBeGreaterThan(50);
});

test("without augmentation a batch has no labels of it, and points cannot have any", async () => {
  expect((await take(new Loader(numbered(3), OPTIONS), 1))[0]).not.toHaveProperty("augment");
  const points = { ...numbered(3), read: async () => ({ pixels: new Float32Array(SIZE), label: 0 }) };
  await expect(new Loader(points, { ...OPTIONS, augment: 0.1 }).next()).rejects.toThrow(
    "numbered: its samples are not pixels, which alone can be augmented; data.augment must be 0",
  );
});
