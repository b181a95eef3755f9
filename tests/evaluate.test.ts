import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainProducts, shareInterval } from "../src/eval/index.js";
import { encodeNpz, type NpyArray } from "../src/formats/npz.js";
import { key } from "../src/random/random.js";
import { openRuntime } from "../src/runtime/index.js";
import { type EvaluateOptions, evaluate, type FeatureExtractor, type Results } from "../src/train/evaluate/index.js";
import { engineProducts } from "../src/train/evaluate/products.js";

const SIZE = 8;
const D = 6;

/** Means of stripes of the image: features whose values are known. `broken`: not a number for white images. */
const stripes = (change: Partial<FeatureExtractor> & { broken?: boolean } = {}): FeatureExtractor => ({
  name: "stripes",
  hash: "0a1b2c3d",
  size: SIZE,
  batch: 7,
  extract: async (images, n, size) => {
    const each = size * size * 3;
    const pool = Float32Array.from({ length: n * D }, (_, at) => {
      const image = images.subarray(Math.floor(at / D) * each, (Math.floor(at / D) + 1) * each);
      const own = image.filter((_, k) => k % D === at % D);
      return change.broken ? Number.NaN : own.reduce((sum, value) => sum + value, 0) / own.length / 255;
    });
    return { pool };
  },
  release: () => {},
  ...change,
});

let folder: string;
let whole: Results | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evaluate-"));
  await write("few.npz", images("few", 1));
  await write("none.npz", images("none", 0));
  await write("real.npz", images("real", 700));
  await write("made.npz", images("made", 1300));
  await write("large.npz", images("large", 9, 16));
  await write("flat.npz", { arr_0: { shape: [4, 3], data: new Uint8Array(12) } });
  whole = await evaluate(options("whole"));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const write = (name: string, arrays: Record<string, NpyArray>): Promise<void> => writeFile(at(name), encodeNpz(arrays));
const images = (name: string, n: number, size = SIZE): Record<string, NpyArray> => {
  const values = key(1)
    .fold(name)
    .integers(n * size * size * 3, 256);
  const labels = BigInt64Array.from({ length: n }, (_, i) => BigInt(i % 3));
  return { arr_0: { shape: [n, size, size, 3], data: Uint8Array.from(values) }, arr_1: { shape: [n], data: labels } };
};

const options = (out: string, change: Partial<EvaluateOptions> = {}): EvaluateOptions => ({
  samples: at("made.npz"),
  reference: at("real.npz"),
  features: stripes(),
  out: at(out),
  cache: at("cache"),
  count: 1300,
  draw: { seed: 0 },
  threads: 1,
  ...change,
});
const resultsOf = (out: string) => readFile(join(at(out), "results.json"), "utf8");

describe("evaluation", () => {
  test("one run, parts that are merged, and a run that was stopped have the same results, byte by byte", async () => {
    for (const index of [1, 2, 3])
      expect(await evaluate(options(`part${index}`, { part: { index, of: 3 } }))).toBe(undefined);
    await evaluate(options("merged", { merge: [1, 2, 3].map((index) => at(`part${index}`)) }));
    const stop = new AbortController();
    const stopped = options("stopped", {
      signal: stop.signal,
      onProgress: (_, __, what) => what === "samples" && stop.abort(),
    });
    await expect(evaluate(stopped)).rejects.toThrow();
    expect((await readdir(join(at("stopped"), "features"))).filter((name) => name.endsWith(".npz"))).toEqual([
      "000000.npz",
    ]);
    await evaluate(options("stopped"));
    expect(await resultsOf("merged")).toBe(await resultsOf("whole"));
    expect(await resultsOf("stopped")).toBe(await resultsOf("whole"));
  });

  test("of a set against itself: 0, all precise, all recalled, nearest is itself", async () => {
    const results = await evaluate(options("itself", { samples: at("real.npz") }));
    const { frechet, precision, recall, perClass } = results!.scores;
    expect(frechet).toBeLessThan(1e-9);
    expect([precision, recall]).toEqual([1, 1]);
    expect(perClass!.map(({ label, count }) => [label, count])).toEqual([
      [0, 234],
      [1, 233],
      [2, 233],
    ]);
    for (const { frechet: own } of perClass!) expect(own).toBeLessThan(1e-9);
    for (const { sample, byPixels } of results!.neighbours!) expect(byPixels).toEqual({ index: sample, squared: 0 });
    expect(results!.metric).toBe("FD-stripes-0a1b2c3d");
  });

  test("shares come with an interval, and pairs may be fewer than images", async () => {
    const { precision, recall, intervals } = whole!.scores;
    expect(intervals).toEqual({ precision: shareInterval(precision!, 1300), recall: shareInterval(recall!, 700) });
    const { pairs, scores } = (await evaluate(options("pairs", { pairs: 100 })))!;
    expect([whole!.pairs, pairs]).toEqual([undefined, 100]);
    expect(scores.frechet).toBe(whole!.scores.frechet);
    expect(scores.precision).not.toBe(precision);
  });

  test("products on the engine are those of a plain loop", async () => {
    const runtime = await openRuntime({ threads: 1 });
    const products = await engineProducts(runtime, 5);
    const TILE = products.rows;
    const random = (name: string, n: number) => ({
      data: key(2)
        .fold(name)
        .normal(n * 5),
      dimensions: 5,
    });
    for (const [n, m] of [
      [3, 4],
      [TILE, 2],
      [7, TILE],
    ] as const) {
      const found = await products.multiply(random("a", n), random("b", m));
      const wanted = await plainProducts.multiply(random("a", n), random("b", m));
      expect(found.length).toBe(n * m);
      expect(found.every((value, i) => Math.abs(value - wanted[i]!) < 1e-12)).toBe(true);
    }
    products.release();
    await runtime.close();
  });

  test("against statistics that it wrote is what it is against the images", async () => {
    const reference = join(at("itself"), "statistics.npz");
    const statistics = await evaluate(options("statistics", { reference }));
    expect(statistics!.scores.frechet).toBe(whole!.scores.frechet);
    expect(statistics!.scores.precision).toBe(undefined);
  });

  test("writes a page with the figures, samples and nearest images", async () => {
    const page = await readFile(join(at("whole"), "index.html"), "utf8");
    for (const part of ["FD-stripes-0a1b2c3d", "kernel distance", "precision", "By label", "Nearest reference images"])
      expect(page).toContain(part);
    expect(page.match(/data:image\/png;base64,/g)).toHaveLength(2);
  });
});

describe("bad input is refused in one line", () => {
  const cut = async (): Promise<Partial<EvaluateOptions>> => {
    const bytes = await readFile(at("real.npz"));
    await writeFile(at("cut.npz"), bytes.subarray(0, bytes.length / 2));
    return { samples: at("cut.npz") };
  };
  const statistics = async (name: string, arrays: Record<string, NpyArray>): Promise<Partial<EvaluateOptions>> => {
    await write(name, { mu: { shape: [2], data: new Float64Array(2) }, ...arrays });
    return { reference: at(name) };
  };
  const sigma = (n: number): NpyArray => ({ shape: [n, n], data: new Float64Array(n * n) });
  const extractor = (text: string): NpyArray => ({ shape: [text.length], data: new TextEncoder().encode(text) });

  test.each<[string, string, () => Promise<Partial<EvaluateOptions>>]>([
    ["another size", "are 16×16; stripes takes 8×8", async () => ({ samples: at("large.npz") })],
    ["no images", "holds no images: arr_0 is empty", async () => ({ samples: at("none.npz") })],
    ["one image", "has 1 image; at least 2 are needed", async () => ({ samples: at("few.npz") })],
    ["no pictures", "arr_0 is [4, 3]; images must be [N, size, size, 3]", async () => ({ samples: at("flat.npz") })],
    ["NaN", "has a feature that is NaN", async () => ({ features: stripes({ broken: true }) })],
    ["a cut file", "is not a zip archive, or is truncated", cut],
    ["no file", "there is no file", async () => ({ samples: at("absent.npz") })],
    [
      "foreign statistics",
      "are of inception features; these are stripes-0a1b2c3d",
      () => statistics("a.npz", { sigma: sigma(2) }),
    ],
    [
      "another hash",
      "are of stripes-ffff features; these are stripes-0a1b2c3d",
      () => statistics("b.npz", { sigma: sigma(2), extractor: extractor("stripes-ffff") }),
    ],
    [
      "other dimensions",
      "features of 6 and of 2 numbers cannot be compared",
      () => statistics("c.npz", { sigma: sigma(2), extractor: extractor("stripes-0a1b2c3d") }),
    ],
    [
      "a sigma that does not fit",
      "mu has 2 numbers, sigma is [3, 3]; it must be [2, 2]",
      () => statistics("d.npz", { sigma: sigma(3), extractor: extractor("stripes-0a1b2c3d") }),
    ],
    ["no part", "is no part: identity.json is missing", async () => ({ merge: [at("nowhere")] })],
  ])("%s", async (name, message, change) => {
    const refused = evaluate(options(`bad ${name}`, await change()));
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ name: "UserError" });
  });

  test("a folder of other images", async () => {
    await evaluate(options("taken", { count: 500 }));
    await expect(evaluate(options("taken", { samples: at("real.npz") }))).rejects.toThrow(
      "holds features of other images, settings or weights; give another --out, or remove it",
    );
  });
});
