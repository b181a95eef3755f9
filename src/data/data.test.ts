import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idx, pattern, png, tar, write } from "../../tests/images.js";
import { limited } from "./dataset.js";
import { type DataSource, type Dataset, Loader, openDataset, samplingOrder } from "./index.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

const RECORD = 1 + 3 * 32 * 32;
const cifar = (count: number): Uint8Array =>
  Uint8Array.from({ length: count * RECORD }, (_, i) => (i % RECORD === 0 ? (i / RECORD) % 10 : (i * 13) % 256));
const digits = (count: number): Uint8Array => Uint8Array.from({ length: count * 28 * 28 }, (_, i) => (i * 11) % 256);

const SOURCES: readonly (readonly [string, () => DataSource, number])[] = [
  ["glyphs, grey", () => ({ kind: "glyphs", size: 16, channels: 1, samples: 40 }), 10],
  ["glyphs, colour", () => ({ kind: "glyphs", size: 12, channels: 3, samples: 25 }), 10],
  ["folder", () => ({ kind: "folder", path: at("photos"), size: 8, channels: 3 }), 2],
  ["folder, grey", () => ({ kind: "folder", path: at("photos"), size: 8, channels: 1 }), 2],
  ["flat folder", () => ({ kind: "folder", path: at("photos", "a"), size: 8, channels: 3 }), 1],
  ["webdataset", () => ({ kind: "webdataset", path: at("shards", "train-*.tar"), size: 8, channels: 3 }), 3],
  [
    "webdataset, range",
    () => ({ kind: "webdataset", path: at("shards", "train-{0..1}.tar"), size: 8, channels: 3 }),
    3,
  ],
  ["cifar10", () => ({ kind: "cifar10", path: at("cifar") }), 10],
  ["mnist", () => ({ kind: "mnist", path: at("mnist") }), 10],
  ["mnist, gzipped", () => ({ kind: "mnist", path: at("mnist-gz") }), 10],
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-data-"));
  for (let i = 0; i < 6; i++) await write(at("photos", i % 2 ? "b" : "a", `${i}.png`), await png(8, 8, i));
  await write(
    at("photos", "b", "wide.jpg"),
    await sharp(await png(20, 9, 3))
      .jpeg()
      .toBuffer(),
  );
  await write(
    at("photos", "b", "w.webp"),
    await sharp(await png(9, 9, 4))
      .webp()
      .toBuffer(),
  );
  await write(at("photos", "a", "notes.txt"), "not an image, and not read");
  await write(
    at("shards", "train-0.tar"),
    await tar({ "x/0.png": await png(8, 8, 0), "x/0.cls": "2", "x/1.png": await png(8, 8, 1), "x/1.cls": " 0\n" }),
  );
  await write(
    at("shards", "train-1.tar"),
    await tar({
      "2.jpg": await sharp(await png(9, 9, 2))
        .jpeg()
        .toBuffer(),
      "2.json": '{"label": 1}',
    }),
  );
  await write(at("cifar", "data_batch_1.bin"), cifar(7));
  await write(at("cifar", "data_batch_2.bin.gz"), gzipSync(cifar(5)));
  for (const [name, zip] of [
    ["mnist", (b: Uint8Array) => b],
    ["mnist-gz", gzipSync],
  ] as const) {
    const ending = name === "mnist" ? "" : ".gz";
    await write(at(name, `train-images-idx3-ubyte${ending}`), zip(idx(0x803, [4, 28, 28], digits(4))));
    await write(at(name, `train-labels-idx1-ubyte${ending}`), zip(idx(0x801, [4], Uint8Array.of(7, 0, 9, 3))));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const withDataset = async <T>(source: DataSource, use: (dataset: Dataset) => Promise<T>): Promise<T> => {
  const dataset = await openDataset(source, 5);
  try {
    return await use(dataset);
  } finally {
    await dataset.close();
  }
};

describe.each(SOURCES)("%s", (_, source, classes) => {
  test("shapes, labels, and every index twice the same", () =>
    withDataset(source(), async (dataset) => {
      const { channels, height, width } = dataset.shape;
      expect(dataset.classes).toHaveLength(classes);
      expect(dataset.length).toBeGreaterThan(0);
      for (let i = 0; i < dataset.length; i++) {
        const { pixels, label } = await dataset.read(i);
        expect(pixels.length).toBe(channels * height * width);
        expect(label).toBeGreaterThanOrEqual(0);
        expect(label).toBeLessThan(classes);
        expect(await dataset.read(i)).toEqual({ pixels, label });
        expect(dataset.source(i)).not.toBe("");
      }
      expect(new Set(Array.from({ length: dataset.length }, (__, i) => dataset.source(i))).size).toBe(dataset.length);
    }));

  test("a loader that starts at step k goes on as an uninterrupted one", () =>
    withDataset(source(), async (dataset) => {
      const options = { seed: 1, batch: 3, flip: true, onError: "stop" } as const;
      const whole = new Loader(dataset, { ...options, startStep: 0 });
      const batches = [];
      for (let k = 0; k < 6; k++) batches.push(await whole.next());
      const resumed = new Loader(dataset, { ...options, startStep: 4 });
      expect(await resumed.next()).toEqual(batches[4]);
      expect(await resumed.next()).toEqual(batches[5]);
    }));

  test("global sample g is the same whatever the batch; values are byte / 127.5 − 1, channels first", () =>
    withDataset(source(), async (dataset) => {
      const loader = (batch: number) =>
        new Loader(dataset, { seed: 2, batch, startStep: 0, flip: false, onError: "stop" });
      const [one, all] = [await loader(6).next(), loader(2)];
      const parts = [await all.next(), await all.next(), await all.next()];
      expect(parts.flatMap((part) => Array.from(part.images))).toEqual(Array.from(one.images));
      expect(parts.flatMap((part) => part.positions)).toEqual(one.positions);
      const { channels, height, width } = dataset.shape;
      const { pixels, label } = await dataset.read(one.positions[0]!);
      expect(Number(one.labels[0])).toBe(label);
      const [c, y, x] = [channels - 1, 3, 5];
      expect(one.images[(c * height + y) * width + x]).toBe(
        Math.fround(pixels[(y * width + x) * channels + c]! / 127.5 - 1),
      );
    }));
});

test("an epoch is a permutation, and epochs differ", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(1000), (n, seed) => {
      const order = samplingOrder(seed, n);
      const epoch = (e: number): number[] => Array.from({ length: n }, (_, i) => order(e * n + i));
      for (const e of [0, 1])
        expect([...epoch(e)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      expect(epoch(1)).toEqual(epoch(1));
    }),
  );
  const order = samplingOrder(0, 50);
  expect(Array.from({ length: 50 }, (_, i) => order(i))).not.toEqual(
    Array.from({ length: 50 }, (_, i) => order(50 + i)),
  );
});

test("a lossless image comes back exactly; a wide one loses its sides, not its middle", async () => {
  await withDataset({ kind: "folder", path: at("photos"), size: 8, channels: 3 }, async (dataset) => {
    expect((await dataset.read(0)).pixels).toEqual(Buffer.from(pattern(8, 8, 0)));
  });
  const stripes = Uint8Array.from({ length: 24 * 8 * 3 }, (_, i) =>
    Math.floor(i / 3) % 24 < 8 || Math.floor(i / 3) % 24 >= 16 ? 255 : 40,
  );
  await write(
    at("crop", "a.png"),
    await sharp(stripes, { raw: { width: 24, height: 8, channels: 3 } })
      .png()
      .toBuffer(),
  );
  await withDataset({ kind: "folder", path: at("crop"), size: 8, channels: 1 }, async (dataset) => {
    expect([...new Set((await dataset.read(0)).pixels)]).toEqual([40]);
  });
});

test("a picture that its EXIF data turns is turned", async () => {
  const halves = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (i < 8 * 4 * 3 ? 250 : 5)); // bright above
  const turned = sharp(halves, { raw: { width: 8, height: 8, channels: 3 } }).withMetadata({ orientation: 6 }); // show a quarter turn clockwise
  await write(at("exif", "a.png"), await turned.png().toBuffer());
  await withDataset({ kind: "folder", path: at("exif"), size: 8, channels: 1 }, async (dataset) => {
    const { pixels } = await dataset.read(0);
    expect([pixels[0], pixels[7]]).toEqual([5, 250]); // bright to the right
  });
});

test("flipping mirrors left and right, about every second image", async () => {
  await withDataset({ kind: "glyphs", size: 16, channels: 3, samples: 64 }, async (dataset) => {
    const load = (flip: boolean) =>
      new Loader(dataset, { seed: 3, batch: 64, startStep: 0, flip, onError: "stop" }).next();
    const [plain, flipped] = [await load(false), await load(true)];
    const size = 3 * 16 * 16;
    let mirrored = 0;
    for (let j = 0; j < 64; j++) {
      const [a, b] = [
        plain.images.subarray(j * size, (j + 1) * size),
        flipped.images.subarray(j * size, (j + 1) * size),
      ];
      const mirror = a.map((_, i) => a[i - (i % 16) + 15 - (i % 16)]!);
      const isMirror = b.every((value, i) => value === mirror[i]);
      expect(isMirror || b.every((value, i) => value === a[i])).toBe(true);
      mirrored += Number(isMirror);
    }
    expect(mirrored).toBeGreaterThan(16);
    expect(mirrored).toBeLessThan(48);
  });
});

test("glyph i does not depend on how many there are; the splits share none", async () => {
  const glyphs = (samples: number, split: "train" | "test") =>
    openDataset({ kind: "glyphs", size: 16, channels: 1, samples }, 0, split);
  const [few, many, held] = [await glyphs(20, "train"), await glyphs(5000, "train"), await glyphs(100, "test")];
  for (let i = 0; i < 20; i++) expect(await few.read(i)).toEqual(await many.read(i));
  const train = new Set<string>();
  for (let i = 0; i < 1000; i++) train.add(String((await many.read(i)).pixels));
  for (let i = 0; i < 100; i++) expect(train.has(String((await held.read(i)).pixels))).toBe(false);
});

test("with skip, an unreadable image is replaced by the next readable one and counted", async () => {
  await write(at("broken", "0.png"), "no image");
  for (let i = 1; i < 4; i++) await write(at("broken", `${i}.png`), await png(8, 8, i));
  await withDataset({ kind: "folder", path: at("broken"), size: 8, channels: 3 }, async (dataset) => {
    const loader = new Loader(dataset, { seed: 0, batch: 4, startStep: 0, flip: false, onError: "skip" });
    const { positions, images } = await loader.next();
    const [zero, one] = [positions.indexOf(0), positions.indexOf(1)];
    const size = 3 * 8 * 8;
    expect(images.slice(zero * size, (zero + 1) * size)).toEqual(images.slice(one * size, (one + 1) * size));
    expect([...loader.skipped]).toHaveLength(1);
    expect([...loader.skipped][0]).toContain("0.png is not a whole jpeg, png or webp image");
  });
});

const failing = async (source: DataSource): Promise<string> => {
  try {
    return await withDataset(source, async (dataset) => {
      for (let i = 0; i < dataset.length; i++) await dataset.read(i);
      return "nothing was wrong";
    });
  } catch (thrown) {
    return (thrown as Error).message.replaceAll(`${folder}/`, "");
  }
};

const images = (path: string): DataSource => ({ kind: "folder", path: at(path), size: 8, channels: 3 });
const shards = (path: string): DataSource => ({ kind: "webdataset", path: at(path), size: 8, channels: 3 });

test.each<[string, () => Promise<unknown>, () => DataSource, RegExp]>([
  [
    "a missing folder",
    async () => {},
    () => images("nowhere"),
    /^data\.path: there is no folder nowhere; give one that holds images/,
  ],
  [
    "a file for a folder",
    () => write(at("file"), ""),
    () => images("file"),
    /^data\.path: file is a file; give a folder that holds images/,
  ],
  [
    "an empty folder",
    () => mkdir(at("none"), { recursive: true }),
    () => images("none"),
    /^data\.path: none holds no images; it must hold images \(\.jpg, \.jpeg, \.png, \.webp\), one subfolder for each class$/,
  ],
  ["only text", () => write(at("texts", "a", "readme.txt"), "x"), () => images("texts"), /texts.*holds no images/],
  [
    "text named .jpg",
    () => write(at("fake", "a.jpg"), "text"),
    () => images("fake"),
    /^fake\/a\.jpg is not a whole jpeg, png or webp image: /,
  ],
  [
    "a truncated png",
    async () => write(at("cutpng", "a.png"), (await png(40, 40, 1)).subarray(0, 300)),
    () => images("cutpng"),
    /^cutpng\/a\.png is not a whole jpeg, png or webp image: /,
  ],
  [
    "a truncated jpeg",
    async () =>
      write(
        at("cutjpg", "a.jpg"),
        (
          await sharp(await png(40, 40, 1))
            .jpeg()
            .toBuffer()
        ).subarray(0, 700),
      ),
    () => images("cutjpg"),
    /^cutjpg\/a\.jpg is not a whole jpeg, png or webp image: /,
  ],
  [
    "a small image",
    async () => write(at("tiny", "a.png"), await png(7, 9, 1)),
    () => images("tiny"),
    /^tiny\/a\.png is 7×9 pixels; images must be at least 8×8$/,
  ],
  [
    "no shard",
    async () => {},
    () => shards("shards/test-*.tar"),
    /^data\.path: no file matches shards\/test-\*\.tar; give a tar, or a pattern such as shards\/train-\*\.tar$/,
  ],
  [
    "not a tar",
    () => write(at("no.tar"), new Uint8Array(2048).fill(65)),
    () => shards("no.tar"),
    /^no\.tar is not a tar file, or is damaged at byte 0$/,
  ],
  [
    "a tar cut in a member",
    async () => {
      await write(at("cut.tar"), await tar({ "0.png": await png(8, 8, 0), "0.cls": "1" }));
      await truncate(at("cut.tar"), 600);
    },
    () => shards("cut.tar"),
    /^cut\.tar is truncated: 0\.png needs bytes up to \d+, the file has 600$/,
  ],
  [
    "a tar cut in a header",
    async () => {
      await write(at("head.tar"), await tar({ "0.cls": "1" }));
      await truncate(at("head.tar"), 1100);
    },
    () => shards("head.tar"),
    /^head\.tar is truncated: it ends inside a header at byte 1024$/,
  ],
  [
    "a tar cut between members",
    async () => {
      await write(at("end.tar"), await tar({ "0.cls": "1" }));
      await truncate(at("end.tar"), 1024);
    },
    () => shards("end.tar"),
    /^end\.tar is truncated: it ends at byte 1024 without an end-of-archive block$/,
  ],
  [
    "an image without a label",
    async () => write(at("bare.tar"), await tar({ "a/0.png": await png(8, 8, 0) })),
    () => shards("bare.tar"),
    /^bare\.tar: a\/0\.png has no label; a\/0\.cls or \.json must be beside it$/,
  ],
  [
    "a label that is a word",
    async () => write(at("word.tar"), await tar({ "0.png": await png(8, 8, 0), "0.cls": "cat" })),
    () => shards("word.tar"),
    /^word\.tar: 0\.cls holds the label "cat"; a label is a whole number from 0$/,
  ],
  [
    "a negative label",
    async () => write(at("minus.tar"), await tar({ "0.png": await png(8, 8, 0), "0.json": '{"cls": -1}' })),
    () => shards("minus.tar"),
    /^minus\.tar: 0\.json holds the label .*; a label is a whole number from 0$/,
  ],
  [
    "broken JSON",
    async () => write(at("json.tar"), await tar({ "0.png": await png(8, 8, 0), "0.json": "{" })),
    () => shards("json.tar"),
    /^json\.tar: 0\.json is not JSON: /,
  ],
  [
    "no CIFAR files",
    () => mkdir(at("nocifar"), { recursive: true }),
    () => ({ kind: "cifar10", path: at("nocifar") }),
    /^data\.path: nocifar holds no data_batch_\*\.bin/,
  ],
  [
    "a short CIFAR file",
    () => write(at("short", "data_batch_1.bin"), cifar(2).subarray(1)),
    () => ({ kind: "cifar10", path: at("short") }),
    /^short\/data_batch_1\.bin has 6145 bytes, not a multiple of 3073: it is truncated/,
  ],
  [
    "a CIFAR label of 77",
    () => write(at("label", "data_batch_1.bin"), cifar(1).fill(77)),
    () => ({ kind: "cifar10", path: at("label") }),
    /^label\/data_batch_1\.bin: record 0 has label 77; CIFAR-10 has labels 0 to 9$/,
  ],
  [
    "broken gzip",
    () => write(at("zip", "data_batch_1.bin.gz"), "no gzip"),
    () => ({ kind: "cifar10", path: at("zip") }),
    /^zip\/data_batch_1\.bin\.gz is not a whole gzip file: /,
  ],
  [
    "a wrong idx magic",
    async () => {
      await write(at("magic", "train-images-idx3-ubyte"), idx(0x802, [1, 1], Uint8Array.of(0)));
      await write(at("magic", "train-labels-idx1-ubyte"), "");
    },
    () => ({ kind: "mnist", path: at("magic") }),
    /^magic\/train-images-idx3-ubyte is not an idx file of bytes with 3 axes: it must begin with 00000803$/,
  ],
  [
    "a short idx file",
    async () => {
      await write(at("idx", "train-images-idx3-ubyte"), idx(0x803, [2, 28, 28], digits(1)));
      await write(at("idx", "train-labels-idx1-ubyte"), idx(0x801, [2], Uint8Array.of(1, 2)));
    },
    () => ({ kind: "mnist", path: at("idx") }),
    /^idx\/train-images-idx3-ubyte has 800 bytes; its header asks for 1584$/,
  ],
  [
    "fewer labels than images",
    async () => {
      await write(at("few", "train-images-idx3-ubyte"), idx(0x803, [2, 28, 28], digits(2)));
      await write(at("few", "train-labels-idx1-ubyte"), idx(0x801, [1], Uint8Array.of(1)));
    },
    () => ({ kind: "mnist", path: at("few") }),
    /^few\/train-labels-idx1-ubyte holds 1 labels for 2 images$/,
  ],
])("%s is refused and named", async (_, prepare, source, message) => {
  await prepare();
  expect(await failing(source())).toMatch(message);
});

test("no more images are read at the same time than asked for", async () => {
  let [reading, most] = [0, 0];
  const slow: Dataset = {
    ...(await openDataset({ kind: "glyphs", size: 8, channels: 1, samples: 40 })),
    read: async () => {
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setTimeout(resolve, 1));
      reading--;
      return { pixels: new Uint8Array(64), label: 0 };
    },
  };
  for (const atOnce of [1, 3]) {
    most = 0;
    const dataset = limited(slow, atOnce);
    await Promise.all(Array.from({ length: 20 }, (_, i) => dataset.read(i)));
    expect(most).toBe(atOnce);
  }
});

const REAL = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
test.skipIf(!existsSync(REAL))(
  "the real CIFAR-10 shards hold 5 × 10,000 photographs of 10 classes (needs ../shared/data)",
  () =>
    withDataset(
      { kind: "webdataset", path: join(REAL, "cifar10-train-*.tar"), size: 32, channels: 3 },
      async (dataset) => {
        expect(dataset.length).toBe(50_000);
        expect(dataset.classes).toHaveLength(10);
        const { images: values } = await new Loader(dataset, {
          seed: 0,
          batch: 200,
          startStep: 0,
          flip: false,
          onError: "stop",
        }).next();
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        expect(Math.abs(mean)).toBeLessThan(0.2); // photographs: neither black nor white on average
      },
    ),
);
