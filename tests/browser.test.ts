import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { key } from "../src/random/random.js";
import { exportModel } from "../src/train/export/export.js";
import { type ModelDescription, openNetwork, saveModel } from "../src/train/model.js";
import { SoFlow } from "../src/train/pretrained.js";
import { launch, missingBrowser, openPage, root, type Site, serveSite } from "./browser.js";

/** The browser library in headless Chromium, on WebAssembly and on WebGPU (SwiftShader where there is no GPU). */

const DESCRIPTION: ModelDescription = {
  format: "soflow",
  version: 1,
  network: { imageSize: 16, channels: 1, patch: 4, width: 64, depth: 2, heads: 4, classes: 3, nullLabel: true },
  method: { kind: "soflow", path: "linear", parameterisation: "euler" },
  classes: ["a", "b", "c"],
};

type Web = typeof import("../src/browser/index.js");

let folder: string;
let site: Site;
let browser: Browser;

describe.skipIf(missingBrowser !== "")(`soflow/web in Chromium${missingBrowser && `: ${missingBrowser}`}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "soflow-browser-"));
    const weights = openNetwork(DESCRIPTION.network).parameters.map(({ name, tensor: { shape } }) => {
      const scale = shape.length > 1 ? 1 / Math.sqrt(shape.slice(1).reduce((n, d) => n * d, 1)) : 0.1;
      const read = async () =>
        key(8)
          .fold(name)
          .normal(shape.reduce((n, d) => n * d, 1))
          .map((z) => scale * z);
      return { name, shape, read };
    });
    await saveModel(join(folder, "model"), DESCRIPTION, weights, 1);
    await exportModel({ source: join(folder, "model"), out: join(folder, "exported"), threads: 1 });
    site = await serveSite({ "/model/": join(folder, "exported/") });
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (): Promise<Page> => openPage(browser, site);

  const wanted = async (options: Parameters<SoFlow["generate"]>[0]): Promise<number[]> => {
    const model = await SoFlow.fromPretrained(join(folder, "model"), { threads: 1 });
    const { images } = await model.generate(options);
    await model.close();
    return Array.from(images, (x) => Math.min(1, Math.max(-1, x)));
  };
  const largest = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Number.NaN);

  /** Loads the model in a page and draws there. */
  const draw = (page: Page, device: "wasm" | "webgpu", options: object) =>
    page.evaluate(
      async ([kind, given]) => {
        const { SoFlow: Model } = (globalThis as unknown as { web: Web }).web;
        const seen: string[] = [];
        const model = await Model.load("/model", {
          runtime: "/ort",
          device: kind,
          onProgress: ({ file }) => seen.push(file),
        });
        const { values, shape } = await model.generate(given);
        const result = {
          values: Array.from(values as Float32Array),
          shape,
          device: model.device,
          files: [...new Set(seen)],
        };
        model.close();
        return result;
      },
      [device, options] as const,
    );

  test.each(["wasm", "webgpu"] as const)(
    "%s: the same seed gives the same images as in Node",
    { timeout: 60_000 },
    async (device) => {
      const page = await open();
      const one = await draw(page, device, { count: 5, seed: 7 });
      expect([one.device, one.shape]).toEqual([device, [5, 1, 16, 16]]);
      expect(one.files.sort()).toEqual(["model.onnx", "model.onnx_data", "solution.onnx"]);
      expect(largest(one.values, await wanted({ count: 5, seed: 7 }))).toBeLessThan(1e-4);
      const three = await draw(page, device, { count: 2, seed: 3, steps: 3, labels: [2] });
      // Three evaluations of a random network one after another: what one differs by grows.
      expect(largest(three.values, await wanted({ count: 2, seed: 3, steps: 3, labels: [2] }))).toBeLessThan(1e-3);
      await page.close();
    },
  );

  test("files are kept: the second page asks for the manifest alone; bitmaps, editing, aborting, and errors", {
    timeout: 60_000,
  }, async () => {
    const page = await open();
    await draw(page, "wasm", {});
    site.asked.length = 0;
    const found = await page.evaluate(async () => {
      const { web } = globalThis as unknown as { web: Web };
      const model = await web.SoFlow.load("/model", { runtime: "/ort", device: "wasm" });
      const images = await model.generate({ count: 2, seed: 1 });
      const bitmap = (await web.toBitmaps(images))[0]!;
      const image = (images.values as Float32Array).slice(0, 256);
      const kept = await model.edit({ image, strength: 0 });
      const mask = new Float32Array(256).fill(1, 0, 128);
      const masked = await model.edit({ image, strength: 0.8, mask });
      const controller = new AbortController();
      const aborted = model.generate({ count: 64, signal: controller.signal }).catch((error: Error) => error.name);
      controller.abort();
      const halfway = model.between(1, 2, 0.5);
      const failure = await web.SoFlow.load("/nothing", { runtime: "/ort" }).catch((error: Error) => error.message);
      const result = {
        size: [bitmap.width, bitmap.height],
        same: Math.max(...image.map((x, i) => Math.abs(x - kept.values[i]!))),
        outside: Math.max(...image.slice(128).map((x, i) => Math.abs(x - masked.values[128 + i]!))),
        inside: Math.max(...image.slice(0, 128).map((x, i) => Math.abs(x - masked.values[i]!))),
        aborted: await aborted,
        after: (await model.generate({ seed: 1 })).values.length,
        norm: Math.sqrt(halfway.reduce((sum, z) => sum + z * z, 0) / 256),
        failure,
      };
      model.close();
      return result;
    });
    expect(site.asked.filter((path) => path.startsWith("/model"))).toEqual(["/model/manifest.json"]);
    expect(found.size).toEqual([16, 16]);
    expect(found.same).toBeLessThan(1e-5);
    expect(found.outside).toBe(0);
    expect(found.inside).toBeGreaterThan(1e-3);
    expect([found.aborted, found.after]).toEqual(["AbortError", 256]);
    expect(Math.abs(found.norm - 1)).toBeLessThan(0.2);
    expect(found.failure).toMatch(/\/nothing\/manifest.json answers 404$/);
    await page.close();
  });

  test("the library is small: without ONNX Runtime, which loads when a model is, below 10 kB", async () => {
    site.asked.length = 0;
    const page = await open();
    const files = [
      ...site.asked.filter((path) => path.startsWith("/dist")),
      "/dist/browser/worker.js",
      "/dist/browser/fetching.js",
    ];
    expect(files.length).toBeGreaterThan(5);
    expect(site.asked.some((path) => path.startsWith("/ort"))).toBe(false);
    const sizes = await Promise.all(files.map(async (path) => gzipSync(await readFile(root(path.slice(1)))).length));
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(10_000);
    await page.close();
  });
});
