import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { bytesPerImage, type DataSource, Loader, openDataset } from "./index.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

const write = async (path: string, bytes: Uint8Array | string): Promise<string> => {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), bytes);
  return at(path);
};

/** An image of one colour, in any format. */
const plain = (
  format: "jpeg" | "png" | "webp",
  [r, g, b]: readonly [number, number, number],
  width = 12,
  height = 10,
) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .toFormat(format)
    .toBuffer();

/** An image without two equal neighbours, which no format packs into a few bytes. */
const noisy = (format: "jpeg" | "png" | "webp", side = 48): Promise<Buffer> =>
  sharp(
    Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * i * 31 + i * 7) % 251),
    { raw: { width: side, height: side, channels: 3 } },
  )
    .toFormat(format)
    .toBuffer();

const tarOf = async (members: Readonly<Record<string, Uint8Array | string>>): Promise<Buffer> => {
  const tar = pack();
  for (const [name, content] of Object.entries(members)) tar.entry({ name }, Buffer.from(content));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** An idx file of bytes. */
const idx = (sizes: readonly number[], body: Uint8Array): Buffer => {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head.writeUInt32BE(0x800 + sizes.length);
  sizes.forEach((size, i) => {
    head.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([head, body]);
};

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37) % 256);

/** A CIFAR-10 record: its label, then planes that hold 1, 2 and 3 times the value. */
const cifarRecord = (label: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([label]), ...[1, 2, 3].map((plane) => Buffer.alloc(1024, plane * value))]);

const mnist = async (name: string, images: Uint8Array, labels: Uint8Array): Promise<DataSource> => {
  await write(`${name}/train-images-idx3-ubyte`, images);
  await write(`${name}/train-labels-idx1-ubyte`, labels);
  return { kind: "mnist", path: at(name) };
};

const RED = [200, 20, 20] as const;
const GREEN = [20, 200, 20] as const;

const SOURCES: Readonly<Record<string, () => Promise<DataSource>>> = {
  "glyphs, grey": async () => ({ kind: "glyphs", size: 16, channels: 1, samples: 40 }),
  "glyphs, colour": async () => ({ kind: "glyphs", size: 24, channels: 3, samples: 40 }),
  "class folders": async () => {
    await write("laws/folder/red/1.jpg", await plain("jpeg", RED));
    await write("laws/folder/red/deep/2.PNG", await plain("png", RED));
    await write("laws/folder/green/3.webp", await plain("webp", GREEN));
    return { kind: "folder", path: at("laws/folder"), size: 8, channels: 3 };
  },
  "flat folder, grey": async () => {
    await write("laws/flat/1.jpeg", await plain("jpeg", RED));
    await write("laws/flat/2.png", await plain("png", GREEN, 9, 30));
    return { kind: "folder", path: at("laws/flat"), size: 8, channels: 1 };
  },
  webdataset: async () => {
    await write("laws/s-0.tar", await tarOf({ "a/0.jpg": await plain("jpeg", RED), "a/0.cls": "2" }));
    const json = await tarOf({ "0.json": '{"label": 1}', "0.png": await plain("png", GREEN), __key__: "unused" });
    await write("laws/s-1.tar", json);
    return { kind: "webdataset", path: at("laws/s-{0..1}.tar"), size: 8, channels: 3 };
  },
  cifar10: async () => {
    await write("laws/cifar/data_batch_1.bin", Buffer.concat([cifarRecord(3, 10), cifarRecord(9, 20)]));
    await write("laws/cifar/data_batch_2.bin.gz", gzipSync(cifarRecord(0, 30)));
    return { kind: "cifar10", path: at("laws/cifar") };
  },
  mnist: () => mnist("laws/mnist", idx([3, 28, 28], ramp(3 * 784)), idx([3], Uint8Array.from([5, 0, 9]))),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-data-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(Object.keys(SOURCES))("%s", (name) => {
  const open = async () => openDataset(await SOURCES[name]!(), 7);

  test("every sample has the dataset's shape and one of its labels, and says where it is from", async () => {
    const dataset = await open();
    expect(dataset.length).toBeGreaterThan(0);
    for (let i = 0; i < dataset.length; i++) {
      const { pixels, label } = await dataset.read(i);
      expect(pixels.length).toBe(bytesPerImage(dataset.shape));
      expect(dataset.classes[label]).toBeTypeOf("string");
    }
    const sources = Array.from({ length: dataset.length }, (_, i) => dataset.source(i));
    expect(new Set(sources).size).toBe(dataset.length);
    expect(sources).not.toContain("");
    await dataset.close();
  });

  test("a sample is the same when read again, out of order, and from a dataset opened anew", async () => {
    const [first, second] = [await open(), await open()];
    const forward = await Promise.all(Array.from({ length: first.length }, (_, i) => first.read(i)));
    for (let i = first.length - 1; i >= 0; i--) {
      expect(await first.read(i)).toEqual(forward[i]);
      expect(await second.read(i)).toEqual(forward[i]);
    }
    await Promise.all([first.close(), second.close()]);
  });

  test("batches hold its bytes as x / 127.5 − 1, channels first", async () => {
    const dataset = await open();
    const loader = new Loader(dataset, { seed: 1, batch: 3, startStep: 0, flip: false, onError: "stop", ahead: 0 });
    const { images, labels, positions } = await loader.next();
    const { channels, height, width } = dataset.shape;
    const size = bytesPerImage(dataset.shape);
    for (const [j, position] of positions.entries()) {
      const { pixels, label } = await dataset.read(position);
      expect(labels[j]).toBe(BigInt(label));
      const wanted = Float32Array.from({ length: size }, (_, i) => {
        const [c, place] = [Math.floor(i / (height * width)), i % (height * width)];
        return pixels[place * channels + c]! / 127.5 - 1;
      });
      expect(images.subarray(j * size, (j + 1) * size)).toEqual(wanted);
    }
    await dataset.close();
  });
});

const classesAndLabels = async (source: DataSource) => {
  const dataset = await openDataset(source);
  const samples = await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.read(i)));
  await dataset.close();
  return { classes: dataset.classes, labels: samples.map(({ label }) => label), samples };
};

test("class folders are classes in order of name; images keep their colour", async () => {
  const { classes, labels, samples } = await classesAndLabels(await SOURCES["class folders"]!());
  expect(classes).toEqual(["green", "red"]);
  expect(labels).toEqual([0, 1, 1]);
  expect([...samples[2]!.pixels.subarray(0, 3)]).toEqual([...RED]); // png: exact
});

test("links are followed and hidden entries passed over", async () => {
  await write("links/real.png", await plain("png", RED));
  await mkdir(at("links/data/a"), { recursive: true });
  await symlink(at("links/real.png"), at("links/data/a/1.png"));
  await symlink(at("links/data/a"), at("links/data/b"));
  await write("links/data/.cache/x.png", "not an image");
  await write("links/data/a/._1.png", "not an image");
  const { classes, labels } = await classesAndLabels({ kind: "folder", path: at("links/data"), size: 8, channels: 3 });
  expect(classes).toEqual(["a", "b"]);
  expect(labels).toEqual([0, 1]);
});

test("a .cls label goes before .json; labels run to the largest, or to classCount", async () => {
  const png = await plain("png", RED);
  const members = { "0.cls": "1\n", "0.json": '{"cls": 3}', "0.png": png, "1.json": '{"cls": "2"}', "1.png": png };
  const source = {
    kind: "webdataset",
    path: await write("both.tar", await tarOf(members)),
    size: 8,
    channels: 3,
  } as const;
  expect(await classesAndLabels(source)).toMatchObject({ classes: ["0", "1", "2"], labels: [1, 2] });
  expect((await classesAndLabels({ ...source, classCount: 5 })).classes).toHaveLength(5);
});

test("CIFAR-10's planes become channels and its batches follow one another", async () => {
  const { labels, samples } = await classesAndLabels(await SOURCES.cifar10!());
  expect(labels).toEqual([3, 9, 0]);
  expect(samples.map(({ pixels }) => [...pixels.subarray(0, 4)])).toEqual(
    [10, 20, 30].map((value) => [value, 2 * value, 3 * value, value]),
  );
});

test("MNIST gzipped is MNIST", async () => {
  const [images, labels] = [idx([2, 28, 28], ramp(2 * 784)), idx([2], Uint8Array.from([4, 2]))];
  await write("mnist-gz/train-images-idx3-ubyte.gz", gzipSync(images));
  await write("mnist-gz/train-labels-idx1-ubyte.gz", gzipSync(labels));
  const packed = await classesAndLabels({ kind: "mnist", path: at("mnist-gz") });
  expect(packed).toEqual(await classesAndLabels(await mnist("mnist-plain", images, labels)));
});

test("an image is cut to its centred square, turned as its EXIF data says", async () => {
  const halves = sharp({ create: { width: 32, height: 16, channels: 3, background: "#000000" } }).composite([
    { input: { create: { width: 16, height: 16, channels: 3, background: "#ffffff" } }, left: 16, top: 0 },
  ]);
  await write("exif/a/0.png", await halves.clone().png().toBuffer());
  await write(
    "exif/a/1.png",
    await sharp(await halves.png().toBuffer())
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer(),
  );
  const { samples } = await classesAndLabels({ kind: "folder", path: at("exif"), size: 8, channels: 1 });
  const corners = samples.map(({ pixels }) => [0, 7, 56, 63].map((i) => (pixels[i]! > 127 ? 1 : 0)));
  expect(corners[0]).toEqual([0, 1, 0, 1]); // dark | bright, the outer quarters cut off
  expect(corners[1]).toEqual([0, 0, 1, 1]); // 6: a quarter turn clockwise, so that left goes up
});

test("an image at the limit is read, and maxPixels moves it", async () => {
  await write("limit/a/0.png", await plain("png", RED, 40, 30));
  const source: DataSource = { kind: "folder", path: at("limit"), size: 8, channels: 3, maxPixels: 1200 };
  expect((await classesAndLabels(source)).samples).toHaveLength(1);
});

test("grey, transparent, 16-bit and CMYK images come as the channels that were asked for", async () => {
  const base = { width: 9, height: 9 };
  const grey = sharp(Buffer.alloc(81, 77), { raw: { ...base, channels: 1 } });
  const halfClear = sharp({ create: { ...base, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0.5 } } });
  const red = () => sharp({ create: { ...base, channels: 3, background: { r: 200, g: 100, b: 50 } } });
  await write("kinds/a/0.png", await grey.png().toBuffer());
  await write("kinds/a/1.png", await halfClear.png().toBuffer());
  await write("kinds/a/2.png", await red().toColourspace("rgb16").png().toBuffer());
  await write("kinds/a/3.jpg", await red().toColourspace("cmyk").jpeg().toBuffer());
  const { samples } = await classesAndLabels({ kind: "folder", path: at("kinds"), size: 8, channels: 3 });
  const firstPixel = samples.map(({ pixels }) => [...pixels.subarray(0, 3)]);
  expect(firstPixel.slice(0, 2)).toEqual([
    [77, 77, 77],
    [128, 128, 128], // what is transparent lies on black
  ]);
  for (const [r = 0, g = 0, b = 0] of firstPixel.slice(2)) expect(r > g && g > b).toBe(true);
  expect(samples.map(({ pixels }) => pixels.length)).toEqual([192, 192, 192, 192]);
  const { samples: asGrey } = await classesAndLabels({ kind: "folder", path: at("kinds"), size: 8, channels: 1 });
  expect(asGrey.map(({ pixels }) => pixels.length)).toEqual([64, 64, 64, 64]);
  expect(asGrey.slice(0, 2).map(({ pixels }) => pixels[0])).toEqual([77, 128]);
});

const SHARDS = join(import.meta.dirname, "../../../shared/data/cifar10-train-0000.tar");
test.skipIf(!existsSync(SHARDS))("a real shard of 10,000 photographs (skipped without ../shared/data)", async () => {
  const dataset = await openDataset({ kind: "webdataset", path: SHARDS, size: 32, channels: 3 });
  expect(dataset.length).toBe(10_000);
  expect(dataset.classes).toHaveLength(10);
  const { pixels } = await dataset.read(9_999);
  expect(new Set(pixels).size).toBeGreaterThan(20);
  await dataset.close();
});

/** Opens and reads every sample; one of the two must fail. */
const failure = async (source: DataSource): Promise<string> => {
  const dataset = await openDataset(source).catch((thrown: unknown) => thrown as Error);
  const thrown =
    dataset instanceof Error
      ? dataset
      : await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.read(i))).then(
          () => new Error("nothing was thrown"),
          (reason: unknown) => reason as Error,
        );
  if (!(dataset instanceof Error)) await dataset.close();
  expect(thrown).toBeInstanceOf(UserError);
  expect(thrown.message).not.toContain("\n");
  return thrown.message.replaceAll(`${folder}/`, "");
};

const imageFolder = (path: string): DataSource => ({ kind: "folder", path: at(path), size: 8, channels: 3 });
const shards = (pattern: string): DataSource => ({ kind: "webdataset", path: at(pattern), size: 8, channels: 3 });
const shardOf = async (name: string, members: Parameters<typeof tarOf>[0]): Promise<DataSource> => {
  await write(name, await tarOf(members));
  return shards(name);
};
const brokenImage = async (name: string, bytes: Uint8Array | string): Promise<DataSource> => {
  await write(`bad/${name}/a/${name}`, bytes);
  return imageFolder(`bad/${name}`);
};
/** The source, once its files are written. */
const after = async (made: Promise<unknown>, source: DataSource): Promise<DataSource> => {
  await made;
  return source;
};
const cifarFolder = (path: string): DataSource => ({ kind: "cifar10", path: at(path) });
const mnistFolder = (path: string): DataSource => ({ kind: "mnist", path: at(path) });
const cut = (bytes: Uint8Array, share: number): Uint8Array => bytes.subarray(0, Math.floor(bytes.length * share));
const IMAGES = "images (.jpg, .jpeg, .png, .webp)";
const NOT_WHOLE = "is not a whole jpeg, png or webp image: ";

const REFUSED: Readonly<Record<string, readonly [make: () => Promise<DataSource>, message: string | RegExp]>> = {
  "a missing folder": [
    async () => imageFolder("nowhere"),
    `data.path: there is no folder nowhere; give one that holds ${IMAGES}, one subfolder for each class`,
  ],
  "a file for a folder": [
    () => after(write("file.txt", ""), imageFolder("file.txt")),
    `data.path: file.txt is a file; give a folder that holds ${IMAGES}, one subfolder for each class`,
  ],
  "an empty folder": [
    () => after(mkdir(at("empty")), imageFolder("empty")),
    `data.path: empty holds no images; it must hold ${IMAGES}, one subfolder for each class`,
  ],
  "a folder without images": [
    () => after(write("notes/readme.txt", "x"), imageFolder("notes")),
    `data.path: notes holds no images; it must hold ${IMAGES}, one subfolder for each class`,
  ],
  "an empty class folder": [
    async () => {
      await write("gap/a/1.png", "");
      await mkdir(at("gap/b"));
      return imageFolder("gap");
    },
    "data.path: the class folder gap/b holds no images (.jpg, .jpeg, .png, .webp); add some or remove it",
  ],
  "an image beside class folders": [
    () => after(Promise.all([write("stray/1.png", ""), write("stray/a/2.png", "")]), imageFolder("stray")),
    "data.path: stray holds images beside its class folders, such as stray/1.png; move them into a class folder",
  ],
  "a text file named .jpg": [
    () => brokenImage("text.jpg", "hello"),
    `bad/text.jpg/a/text.jpg ${NOT_WHOLE}Input buffer contains unsupported image format`,
  ],
  "an empty image": [() => brokenImage("none.png", ""), `bad/none.png/a/none.png ${NOT_WHOLE}Input Buffer is empty`],
  "a truncated jpeg": [
    async () => brokenImage("cut.jpg", cut(await noisy("jpeg"), 0.9)),
    /^bad\/cut\.jpg\/a\/cut\.jpg is not a whole jpeg, png or webp image: .*premature end of JPEG image$/,
  ],
  "a truncated png": [
    async () => brokenImage("cut.png", cut(await noisy("png"), 0.9)),
    /^bad\/cut\.png\/a\/cut\.png is not a whole jpeg, png or webp image: /,
  ],
  "a truncated webp": [
    async () => brokenImage("cut.webp", cut(await noisy("webp"), 0.9)),
    /^bad\/cut\.webp\/a\/cut\.webp is not a whole jpeg, png or webp image: /,
  ],
  "an image smaller than wanted": [
    async () => brokenImage("small.png", await plain("png", RED, 20, 5)),
    "bad/small.png/a/small.png is 20×5 pixels; images must be at least 8×8",
  ],
  "an image of more pixels than are allowed": [
    async () =>
      ({ ...(await brokenImage("wide.png", await plain("png", RED, 40, 30))), maxPixels: 1199 }) as DataSource,
    "bad/wide.png/a/wide.png is 40×30 pixels; images of at most 1199 are decoded (data.maxPixels)",
  ],
  "an image that takes more bytes than its pixels say": [
    async () => {
      const deep = sharp(await plain("png", RED, 40, 30)).toColourspace("rgb16");
      const source = await brokenImage("deep.png", await deep.png().toBuffer());
      return { ...source, maxPixels: 1500 } as DataSource;
    },
    "bad/deep.png/a/deep.png takes 7200 bytes to decode; 6000 are allowed, 4 for each of data.maxPixels 1500",
  ],
  "an image with a side beyond 65,535": [
    async () => brokenImage("long.png", await plain("png", RED, 65_536, 8)),
    "bad/long.png/a/long.png is 65536×8 pixels; a side may have at most 65535",
  ],
  "an image file of more bytes than are allowed": [
    async () => ({ ...(await brokenImage("fat.png", await noisy("png"))), maxPixels: 100 }) as DataSource,
    /^bad\/fat\.png\/a\/fat\.png has \d+ bytes; at most 200 are read$/,
  ],
  "a picture of another format under an image's name": [
    () => brokenImage("svg.png", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    `bad/svg.png/a/svg.png ${NOT_WHOLE}Input buffer contains unsupported image format`,
  ],
  "a large image in a shard": [
    async () =>
      ({
        ...(await shardOf("wide.tar", { "0.png": await plain("png", RED), "0.cls": "1" })),
        maxPixels: 90,
      }) as DataSource,
    /^wide\.tar: 0\.png (is 12×10 pixels; images of at most 90 are decoded \(data\.maxPixels\)|has \d+ bytes; at most 180 are read)$/,
  ],
  "a label of nested lists": [
    () => shardOf("nested.tar", { "0.png": "", "0.json": `{"cls": ${"[".repeat(9999)}${"]".repeat(9999)}}` }),
    /^nested\.tar: 0\.json holds the label ".*"; a label is a whole number from 0$/,
  ],
  "a range of a billion shards": [
    async () => shards("s-{0..999999999}.tar"),
    "data.path: s-{0..999999999}.tar names more than 100000 files",
  ],
  "a packed MNIST file with more than it says": [
    async () => {
      const source = await mnist("more-gz", idx([2, 28, 28], ramp(2 * 784)), idx([2], ramp(2)));
      await rm(at("more-gz/train-images-idx3-ubyte"));
      await write("more-gz/train-images-idx3-ubyte.gz", gzipSync(idx([2, 28, 28], ramp(3 * 784))));
      return source;
    },
    "more-gz/train-images-idx3-ubyte.gz unpacks to more than 1584 bytes, those that its header asks for",
  ],
  "a packed MNIST file that says too much": [
    async () => {
      const source = await mnist("huge-gz", idx([2, 28, 28], ramp(2 * 784)), idx([2], ramp(2)));
      await rm(at("huge-gz/train-images-idx3-ubyte"));
      await write("huge-gz/train-images-idx3-ubyte.gz", gzipSync(idx([300_000, 28, 28], ramp(784))));
      return source;
    },
    "huge-gz/train-images-idx3-ubyte.gz unpacks to 235200016 bytes; 200000000 are the most that is unpacked here; unpack it with gunzip",
  ],
  "a link to nothing": [
    async () => {
      await mkdir(at("dangling/a"), { recursive: true });
      await symlink(at("gone.png"), at("dangling/a/1.png"));
      return imageFolder("dangling");
    },
    "dangling/a/1.png cannot be read: it is not there",
  ],
  "a glob that matches nothing": [
    async () => shards("none-*.tar"),
    "data.path: no file matches none-*.tar; give a tar, or a pattern such as shards/train-*.tar",
  ],
  "a shard that is missing from a range": [
    async () => after(write("range-0.tar", await tarOf({})), shards("range-{0..1}.tar")),
    "data.path: no file matches range-1.tar; give a tar, or a pattern such as shards/train-*.tar",
  ],
  "a range that counts down": [
    async () => shards("range-{4..1}.tar"),
    "data.path: range-{4..1}.tar counts down in {4..1}; write the smaller number first",
  ],
  "a shard without images": [() => shardOf("blank.tar", { "0.cls": "1" }), "data.path: blank.tar holds no images"],
  "an image without a label": [
    async () => shardOf("bare.tar", { "x/7.png": await plain("png", RED) }),
    "bare.tar: x/7.png has no label; x/7.cls or .json must be beside it",
  ],
  "a label that is no number": [
    () => shardOf("word.tar", { "0.png": "", "0.cls": "cat" }),
    'word.tar: 0.cls holds the label "cat"; a label is a whole number from 0',
  ],
  "a negative label": [
    () => shardOf("minus.tar", { "0.png": "", "0.cls": "-1" }),
    'minus.tar: 0.cls holds the label "-1"; a label is a whole number from 0',
  ],
  "an absurd label": [
    () => shardOf("huge.tar", { "0.png": "", "0.json": '{"cls": 4000000000}' }),
    "huge.tar: 0.json holds the label 4000000000; a label is at most 65535",
  ],
  "a label of another type": [
    () => shardOf("true.tar", { "0.png": "", "0.json": '{"label": true}' }),
    'true.tar: 0.json holds the label "{\\"label\\": true}"; a label is a whole number from 0',
  ],
  "null for a label": [
    () => shardOf("null.tar", { "0.png": "", "0.json": "null" }),
    'null.tar: 0.json holds the label "null"; a label is a whole number from 0',
  ],
  "a label file that is not JSON": [
    () => shardOf("json.tar", { "0.png": "", "0.json": "{" }),
    /^json\.tar: 0\.json is not JSON: /,
  ],
  "a label out of range": [
    async () => ({ ...(await shardOf("range.tar", { "0.png": "", "0.cls": "12" })), classCount: 10 }) as DataSource,
    "range.tar: 0.cls holds the label 12; the dataset has labels 0 to 9",
  ],
  "a broken image in a shard": [
    () => shardOf("broken.tar", { "0.png": "hello", "0.cls": "1" }),
    `broken.tar: 0.png ${NOT_WHOLE}Input buffer contains unsupported image format`,
  ],
  "CIFAR-10 files that are elsewhere": [
    () => after(mkdir(at("no-cifar")), cifarFolder("no-cifar")),
    "data.path: no-cifar holds no data_batch_*.bin; give the folder of CIFAR-10's binary release",
  ],
  "a truncated CIFAR-10 file": [
    () => after(write("short-cifar/data_batch_1.bin", cut(cifarRecord(1, 1), 0.5)), cifarFolder("short-cifar")),
    "short-cifar/data_batch_1.bin has 1536 bytes, not a multiple of 3073: it is truncated or not CIFAR-10's binary form",
  ],
  "a CIFAR-10 label beyond 9": [
    () => after(write("odd-cifar/data_batch_1.bin", cifarRecord(10, 1)), cifarFolder("odd-cifar")),
    "odd-cifar/data_batch_1.bin: record 0 has label 10; CIFAR-10 has labels 0 to 9",
  ],
  "a truncated gzip file": [
    () => after(write("cut-gz/data_batch_1.bin.gz", cut(gzipSync(ramp(3073)), 0.5)), cifarFolder("cut-gz")),
    "cut-gz/data_batch_1.bin.gz is not a whole gzip file: unexpected end of file",
  ],
  "MNIST without labels": [
    () => after(write("half/train-images-idx3-ubyte", idx([1, 28, 28], ramp(784))), mnistFolder("half")),
    "data.path: half holds no train-labels-idx1-ubyte (or train-labels-idx1-ubyte.gz)",
  ],
  "an idx file of another kind": [
    () => mnist("swapped", idx([1], ramp(1)), idx([1], ramp(1))),
    "swapped/train-images-idx3-ubyte is not an idx file of bytes with 3 axes: it must begin with 00000803",
  ],
  "a truncated idx file": [
    () => mnist("cut", idx([2, 28, 28], ramp(784)), idx([2], ramp(2))),
    "cut/train-images-idx3-ubyte has 800 bytes; its header asks for 1584",
  ],
  "MNIST images of another size": [
    () => mnist("wide", idx([1, 28, 29], ramp(28 * 29)), idx([1], ramp(1))),
    "wide/train-images-idx3-ubyte holds images of 29×28 pixels; MNIST's are 28×28",
  ],
  "more MNIST labels than images": [
    () => mnist("uneven", idx([1, 28, 28], ramp(784)), idx([2], ramp(2))),
    "uneven/train-labels-idx1-ubyte holds 2 labels for 1 images",
  ],
  "no MNIST images": [
    () => mnist("zero", idx([0, 28, 28], ramp(0)), idx([0], ramp(0))),
    "zero/train-images-idx3-ubyte holds no images",
  ],
  "an MNIST label beyond 9": [
    () => mnist("beyond", idx([1, 28, 28], ramp(784)), idx([1], Uint8Array.from([11]))),
    "beyond/train-labels-idx1-ubyte: label 0 is 11; MNIST has labels 0 to 9",
  ],
};

test.skipIf(process.platform === "win32")(
  "a pipe named like an image is not waited for (Windows has none)",
  async () => {
    await mkdir(at("pipe/a"), { recursive: true });
    execFileSync("mkfifo", [at("pipe/a/1.png")]);
    expect(await failure(imageFolder("pipe"))).toBe("pipe/a/1.png cannot be read: it is no plain file");
  },
);

test.each(Object.entries(REFUSED))("%s is refused in one line that names it", async (_, [make, message]) => {
  const found = await failure(await make());
  if (typeof message === "string") expect(found).toBe(message);
  else expect(found).toMatch(message);
});
