import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, asyncProperty, integer, nat, subarray } from "fast-check";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { key } from "../random/random.js";
import { type Dataset, PassingError, UnusableSample } from "./dataset.js";
import { inspectImage } from "./header.js";
import { inspectAll, Loader, openDataset } from "./index.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-inspect-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const inOrder = { order: (g: number) => g };

/** A dataset whose `bad` samples cannot be used; `seen` are those that were inspected. */
const made = (length: number, bad: readonly number[], fail = (i: number) => new UserError(`sample ${i} is bad`)) => {
  const seen: number[] = [];
  const dataset: Dataset = {
    name: "made",
    shape: { channels: 1, height: 1, width: 1 },
    classes: ["all"],
    length,
    read: async () => ({ pixels: new Uint8Array(1), label: 0 }),
    inspect: async (index) => {
      seen.push(index);
      if (bad.includes(index)) throw fail(index);
    },
    source: String,
    close: async () => {},
  };
  return { dataset, seen };
};

test("every sample is inspected once, and the bad ones are named together: five, and a count of the rest", () =>
  assert(
    asyncProperty(subarray(upTo(40)), integer({ min: 1, max: 8 }), nat(39), async (bad, atOnce, turn) => {
      const { dataset, seen } = made(40, bad);
      const problem = await inspectAll(dataset, { order: (g) => (g + turn) % 40, atOnce }).catch((thrown) => thrown);
      expect([...seen].sort((a, b) => a - b)).toEqual(upTo(40));
      if (bad.length === 0) {
        expect(problem).toBe(40);
        return;
      }
      expect(problem).toBeInstanceOf(UnusableSample);
      const listed = bad.slice(0, 5).map((i) => `sample ${i} is bad`);
      const rest = bad.length > 5 ? `; and ${bad.length - 5} more` : "";
      const head = bad.length === 1 ? "" : `made: ${bad.length} of 40 images cannot be used: `;
      expect(problem.message).toBe(`${head}${listed.join("; ")}${rest}`);
    }),
  ));

test("what is no fault of a sample ends the inspection with its own words", async () => {
  const passing = made(10, [3], () => new PassingError("too many files open"));
  await expect(inspectAll(passing.dataset, inOrder)).rejects.toBeInstanceOf(PassingError);
  const broken = made(10, [3], () => new TypeError("a mistake in a program"));
  await expect(inspectAll(broken.dataset, inOrder)).rejects.toThrow(TypeError);
});

test("when the time is over the rest is left; progress is told now and then", async () => {
  const { dataset, seen } = made(50_000, []);
  expect(await inspectAll(dataset, { ...inOrder, seconds: 0 })).toBe(0);
  expect(seen).toEqual([]);
  const told: number[] = [];
  expect(await inspectAll(dataset, { ...inOrder, seconds: 600, onProgress: (done) => told.push(done) })).toBe(50_000);
  expect(told).toEqual([20_000, 40_000]);
});

test("a passing shortage is not passed over by skip: the batch would be another one", async () => {
  const { dataset } = made(4, []);
  const read = async () => {
    throw new PassingError("too many files open");
  };
  const options = { seed: 0, batch: 2, startStep: 0, flip: false, onError: "skip", ahead: 0 } as const;
  await expect(new Loader({ ...dataset, read }, options).next()).rejects.toThrow("too many files open");
});

const image = (size: number, format: "png" | "jpeg" | "webp"): Promise<Buffer> =>
  sharp({ create: { width: size, height: size, channels: 3, background: "red" } })
    .toFormat(format)
    .toBuffer();

/** Files by name, most of them bad in a way that a header shows. */
const files = async (): Promise<Readonly<Record<string, Uint8Array>>> => ({
  "0.png": await image(9, "png"),
  "1.jpg": new TextEncoder().encode("this is no picture"),
  "2.jpg": await image(9, "jpeg"),
  "3.png": await image(5, "png"),
  "4.webp": await image(9, "webp"),
  "5.png": new Uint8Array(0),
  "6.jpg": (await image(9, "jpeg")).subarray(0, 30),
});

const BAD = [
  "1.jpg is not a whole jpeg, png or webp image",
  "3.png is 5×5 pixels; images must be at least 8×8",
  "5.png is not a whole jpeg, png or webp image",
  "6.jpg is not a whole jpeg, png or webp image",
];

const expectNamed = async (dataset: Dataset): Promise<void> => {
  const problem = await inspectAll(dataset, inOrder).catch((thrown: Error) => thrown.message);
  expect(problem).toContain(`${BAD.length} of 7 images cannot be used`);
  for (const reason of BAD) expect(problem).toContain(reason);
  await dataset.close();
};

test("a folder: text, an empty file, a header cut short and an image too small", async () => {
  await mkdir(at("images"), { recursive: true });
  for (const [name, bytes] of Object.entries(await files())) await writeFile(at("images", name), bytes);
  await expectNamed(await openDataset({ kind: "folder", path: at("images"), size: 8, channels: 3 }));
});

test("tar files: the same, from the first bytes of each image", async () => {
  const tar = pack();
  for (const [name, bytes] of Object.entries(await files())) {
    tar.entry({ name }, Buffer.from(bytes));
    tar.entry({ name: name.replace(/\..*/, ".cls") }, "0");
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(at("images.tar"), Buffer.concat(chunks));
  await expectNamed(await openDataset({ kind: "webdataset", path: at("images.tar"), size: 8, channels: 3 }));
});

test("CIFAR-10: a record whose label there is not", async () => {
  const record = 1 + 3 * 32 * 32;
  const bytes = new Uint8Array(3 * record);
  bytes[record] = 12;
  await mkdir(at("cifar"), { recursive: true });
  await writeFile(at("cifar", "data_batch_1.bin"), bytes);
  const dataset = await openDataset({ kind: "cifar10", path: at("cifar") });
  await expect(inspectAll(dataset, inOrder)).rejects.toThrow("record 1 has label 12; CIFAR-10 has labels 0 to 9");
});

test("the first bytes do for large images too, and where a format needs them all it gets them", async () => {
  const noise = Buffer.from(Uint8Array.from(key(1).uniform(300 * 300 * 3), (x) => 256 * x));
  for (const format of ["png", "jpeg", "webp"] as const) {
    const bytes = await sharp(noise, { raw: { width: 300, height: 300, channels: 3 } })
      .toFormat(format, { quality: 100 })
      .toBuffer();
    expect(bytes.length).toBeGreaterThan(2 ** 16);
    const asked: number[] = [];
    const read = async (size: number) => {
      asked.push(size);
      return bytes.subarray(0, size);
    };
    const small = { channels: 3, width: 300, height: 300 } as const;
    await inspectImage(read, bytes.length, small, format);
    expect(asked, format).toEqual(format === "webp" ? asked : [2 ** 16]);
    const large = { ...small, width: 301, height: 301 };
    await expect(inspectImage(read, bytes.length, large, format)).rejects.toThrow(
      `${format} is 300×300 pixels; images`,
    );
  }
});
