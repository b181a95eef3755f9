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
import { launch, missingBrowser, ORT, openPage, root, type Site, serveSite } from "./browser.js";

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

/** What `/stale/` has in place of its weights: others of equal size, with these headers; undefined where it has the right ones. */
let staleHeaders: Record<string, string> | undefined;
const stale = (bytes: Buffer) =>
  staleHeaders && { bytes: Buffer.from(bytes.map((byte) => byte ^ 1)), headers: staleHeaders };

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
    const exported = join(folder, "exported/");
    const places = { "/model/": exported, "/stale/": exported, "/ort-without-webgpu/": ORT };
    const hidden = (path: string) => path.startsWith("/ort-without-webgpu/") && /webgpu/.test(path.slice(20));
    site = await serveSite(places, hidden, (path, bytes) =>
      path === "/stale/model.onnx_data" ? stale(bytes) : undefined,
    );
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

  test("auto takes a GPU; where that fails, or is none but software, WebAssembly", { timeout: 60_000 }, async () => {
    const page = await open();
    const opened = (runtime: string, device: "auto" | "webgpu") =>
      page.evaluate(
        async ([files, kind]) => {
          const { SoFlow: Model } = (globalThis as unknown as { web: Web }).web;
          const model = await Model.load("/model", { runtime: files, device: kind }).catch(
            (error: Error) => error.message,
          );
          if (typeof model === "string") return model;
          model.close();
          return model.device;
        },
        [runtime, device] as const,
      );
    expect(await opened("/ort", "auto")).toBe("wasm"); // SwiftShader says what it is
    expect(await opened("/ort-without-webgpu", "webgpu")).toMatch(/ort.webgpu.min.mjs/);
    await page.route("**/dist/browser/worker.js", async (route) => {
      const response = await route.fetch();
      const disguise = `Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });`;
      await route.fulfill({ response, body: `${await response.text()}\n${disguise}` });
    });
    expect(await opened("/ort", "auto")).toBe("webgpu");
    expect(await opened("/ort-without-webgpu", "auto")).toBe("wasm");
    await page.close();
  });

  test("a file that ends too early, or is too long, is refused in one line and not kept", async () => {
    const page = await open();
    const failed = (): Promise<string> =>
      page.evaluate(async () => {
        const { SoFlow: Model } = (globalThis as unknown as { web: Web }).web;
        return Model.load("/model", { runtime: "/ort", device: "wasm" }).then(
          (model) => model.device,
          (error: Error) => error.message,
        );
      });
    for (const [body, line] of [
      ["short", /\/model\/model.onnx ended after 5 of its \d+ bytes$/],
      ["long".repeat(100_000), /\/model\/model.onnx has more than its \d+ bytes$/],
    ] as const) {
      await page.route("**/model/model.onnx", (route) => route.fulfill({ body }));
      expect(await failed()).toMatch(line);
      await page.unroute("**/model/model.onnx");
    }
    expect(await failed()).toBe("wasm");
    await page.close();
  });

  describe("an old file of equal size", () => {
    /** Loads `/stale` and draws, or says why not; and how many files the browser's cache keeps then. */
    const load = (page: Page) =>
      page.evaluate(async () => {
        const { SoFlow: Model } = (globalThis as unknown as { web: Web }).web;
        const loaded: number[] = [];
        const onProgress = (progress: { loaded: number; total: number }) =>
          loaded.push(progress.loaded / progress.total);
        const found = await Model.load("/stale", { runtime: "/ort", device: "wasm", onProgress }).then(
          async (model) => {
            const { values } = await model.generate({ count: 2, seed: 7 });
            model.close();
            return Array.from(values);
          },
          (error: Error) => error.message,
        );
        const names = typeof caches === "undefined" ? [] : await caches.keys();
        const kept = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).length));
        return { found, kept: kept.reduce((sum, count) => sum + count, 0), loaded: loaded.at(-1) };
      });
    const asked = () => site.asked.filter((path) => path.startsWith("/stale/"));

    test("in the HTTP cache is noticed, and the right one fetched past it and kept", { timeout: 60_000 }, async () => {
      const page = await open();
      staleHeaders = { "cache-control": "max-age=3600" };
      await page.evaluate(async () => (await fetch("/stale/model.onnx_data")).arrayBuffer()); // the browser has it now
      staleHeaders = undefined;
      const first = await load(page);
      expect(largest(first.found as number[], await wanted({ count: 2, seed: 7 }))).toBeLessThan(1e-4);
      expect([first.kept, first.loaded]).toEqual([3, 1]);
      site.asked.length = 0;
      expect((await load(page)).found).toEqual(first.found);
      expect(asked()).toEqual(["/stale/manifest.json"]);
      await page.close();
    });

    test("on the server is refused with both checksums, and not kept", { timeout: 60_000 }, async () => {
      const context = await browser.newContext(); // with a cache of its own
      const page = await context.newPage();
      await page.goto(site.address);
      await page.waitForFunction("globalThis.web");
      staleHeaders = { "cache-control": "max-age=3600" };
      site.asked.length = 0;
      const { found, kept } = await load(page);
      expect(found).toMatch(
        /\/stale\/model.onnx_data is not the file in the manifest: its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}$/,
      );
      expect(kept).toBe(0);
      expect(asked()).toEqual(["/stale/manifest.json", "/stale/model.onnx_data", "/stale/model.onnx_data"]);
      staleHeaders = undefined;
      expect((await load(page)).found).toHaveLength(512);
      await context.close();
    });

    test("is also refused where the page cannot hash: over HTTP from another machine", {
      timeout: 60_000,
    }, async () => {
      const other = await launch("--host-resolver-rules=MAP lan.test 127.0.0.1");
      const page = await openPage(other, { ...site, address: site.address.replace("127.0.0.1", "lan.test") });
      expect(await page.evaluate(() => [typeof crypto.subtle, typeof globalThis.caches])).toEqual(
        Array(2).fill("undefined"),
      );
      staleHeaders = { "cache-control": "max-age=3600" };
      expect((await load(page)).found).toMatch(
        /\/stale\/model.onnx_data cannot be reached, or its SHA-256 is not the one in the manifest$/,
      );
      staleHeaders = undefined; // the browser still has the other in its HTTP cache
      const { found } = await load(page);
      expect(largest(found as number[], await wanted({ count: 2, seed: 7 }))).toBeLessThan(1e-4);
      await other.close();
    });
  });

  test("edits, in rounds and under a mask, and mixtures are those of Node", { timeout: 60_000 }, async () => {
    const page = await open();
    const image = key(5)
      .normal(256)
      .map((z) => 0.4 * z);
    const mask = Float32Array.from({ length: 256 }, (_, i) => Number(i % 16 > 7));
    const settings = { strength: 0.7, label: 1, seed: 9, steps: 3 };
    const found = await page.evaluate(
      async ([pixels, marks, given]) => {
        const { SoFlow: Model } = (globalThis as unknown as { web: Web }).web;
        const model = await Model.load("/model", { runtime: "/ort", device: "wasm" });
        const edit = { ...given, image: Float32Array.from(pixels) };
        const values = async (drawn: Promise<{ values: ArrayLike<number> }>) => Array.from((await drawn).values);
        const part = (seed: number) => ({ seed, index: 2, weight: 0.5 });
        const result = {
          whole: await values(model.edit(edit)),
          masked: await values(model.edit({ ...edit, mask: Float32Array.from(marks) })),
          one: await values(model.generate({ images: [{ label: 2, noise: [part(4)] }], steps: 2 })),
          seeds: await values(model.generate({ seed: 4, count: 3, labels: [2], steps: 2 })),
        };
        model.close();
        return result;
      },
      [[...image], [...mask], settings] as const,
    );
    const model = await SoFlow.fromPretrained(join(folder, "model"), { threads: 1 });
    expect(largest(found.whole, [...(await model.edit({ ...settings, image }))])).toBeLessThan(1e-3);
    expect(largest(found.masked, [...(await model.edit({ ...settings, image, mask }))])).toBeLessThan(1e-3);
    await model.close();
    expect(largest(found.one, found.seeds.slice(512))).toBeLessThan(1e-5);
    await page.close();
  });

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
      const failed = (folder: string) =>
        web.SoFlow.load(folder, { runtime: "/ort" }).catch((error: Error) => error.message);
      const failure = await failed("/nothing");
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

  test("the library is small: with its worker, without ONNX Runtime, which loads when a model is, below 15 kB", async () => {
    site.asked.length = 0;
    const page = await open();
    expect(site.asked.some((path) => path.startsWith("/ort"))).toBe(false);
    await draw(page, "wasm", {});
    const files = [...new Set(site.asked.filter((path) => path.startsWith("/dist")))];
    expect(files).toContain("/dist/browser/worker.js");
    expect(site.asked.some((path) => path.startsWith("/ort"))).toBe(true);
    const sizes = await Promise.all(files.map(async (path) => gzipSync(await readFile(root(path.slice(1)))).length));
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(15_000);
    await page.close();
  });
});
