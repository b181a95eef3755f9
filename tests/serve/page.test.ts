import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "../../src/serve/server.js";
import { writeSite } from "../../src/serve/site.js";
import { bytes, CHROMIUM, changed, drag, drawn, missing, openApp } from "./driver.js";
import { writeTinyModel } from "./model.js";

/** The app that draws by itself: in a page of `soflow serve`, and in a folder of `soflow site`. */

let folder: string;
let models: string[];
let browser: Browser;
let server: Serving;
let page: Page;
let problems: string[];

const serving = (changes: Partial<ServeOptions> = {}): Promise<Serving> =>
  startServer({ ...SERVE_DEFAULTS, models, port: 0, threads: 1, report: () => {}, ...changes });

const open = async (tab: string, url = `${server.url}/`): Promise<void> => {
  page = await openApp(browser, { url, tab, problems });
};

const provider = (): Promise<string | null> => page.getByTestId("provider").textContent();
const inPage = async (): Promise<void> => {
  await page.getByRole("radio", { name: "in this page" }).check();
  await expect.poll(provider, { timeout: 10_000 }).toMatch(/^WebAssembly in this page, \d+ threads?$/);
};

/** WebGPU in software. */
const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--disable-vulkan-surface",
];

/** How often the server has been asked for images. */
const countAsked = (): (() => number) => {
  let asked = 0;
  page.on("request", (request) => {
    asked += Number(/v1\/images/.test(request.url()));
  });
  return () => asked;
};

/** Draws something else and the same again, so that what is there now was drawn after this was called. */
const redrawn = async (id: string): Promise<number[]> => {
  const before = await drawn(page, id);
  await page.getByLabel("Seed: one on", { exact: true }).click();
  const other = await changed(page, id, before);
  await page.getByLabel("Seed: one back", { exact: true }).click();
  await changed(page, id, other);
  return bytes(page, id);
};

const largest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Number.NaN);

/** What the server draws is what the page draws, but for the last place of a byte. */
const expectSame = async (id: string): Promise<void> => {
  const served = await redrawn(id);
  await inPage();
  const asked = countAsked();
  expect(largest(await redrawn(id), served)).toBeLessThanOrEqual(1);
  expect(asked()).toBe(0);
};

const PLAIN_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** A web server that knows nothing: files below a path, without any headers of its own. */
const plainServer = async (root: string): Promise<{ url: string; close: () => Promise<void>; asked: string[] }> => {
  const asked: string[] = [];
  const plain: Server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url!, "http://x").pathname);
    asked.push(path);
    const file = path.startsWith("/some/path/") ? join(root, path.slice("/some/path".length)) : undefined;
    const place = file?.endsWith("/") ? join(file, "index.html") : file;
    if (!place || !existsSync(place)) return void response.writeHead(404).end();
    const type = PLAIN_TYPES[extname(place)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type }).end(await readFile(place));
  });
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => plain.close(() => resolve()));
  return { url: `http://127.0.0.1:${(plain.address() as AddressInfo).port}/some/path/`, close, asked };
};

describe.skipIf(missing !== "")(`the app draws in the page${missing && `: ${missing}`}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "soflow-page-"));
    models = [
      await writeTinyModel(folder, "tiny"),
      await writeTinyModel(folder, "coloured", { kind: "meanflow" }, { channels: 3, classes: 0 }),
      await writeTinyModel(folder, "consistent", { kind: "consistency" }),
      await writeTinyModel(folder, "old", { kind: "ddpm" }),
    ];
    browser = await chromium.launch({ executablePath: CHROMIUM });
    server = await serving();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    problems = [];
  });
  afterEach(async () => {
    await page.close();
    expect(problems).toEqual([]);
  });

  test("many: the same images as the server's, in one step and in three; the choice is remembered", async () => {
    await open("generate");
    await expectSame("grid");
    await page.reload();
    await expect.poll(provider, { timeout: 10_000 }).toContain("in this page");
    await page.getByRole("radio", { name: "on the server" }).check();
    await page.getByRole("slider", { name: "Steps" }).fill("3");
    await expectSame("grid");
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  test("morph, between and edits, in rounds under a mask: the same images as the server's", async () => {
    await open("generate");
    await page.getByRole("radio", { name: "Morph" }).check();
    await drag(page, "plane", [0.5, 0.5], [0.9, 0.2]);
    await expectSame("spotted");
    await page.getByRole("radio", { name: "on the server" }).check();
    await page.getByRole("radio", { name: "Between" }).check();
    await expectSame("blended");
    await page.getByRole("radio", { name: "on the server" }).check();
    await page.getByRole("link", { name: "Edit" }).click();
    await drag(page, "pad", [0.2, 0.2], [0.8, 0.7]);
    await page.getByRole("radio", { name: "Mask" }).check();
    await drag(page, "pad", [0.1, 0.8], [0.9, 0.8]);
    await page.getByRole("slider", { name: "Rounds" }).fill("3");
    await expectSame("edited");
  });

  test("a colour model edits alike; another model takes the worker's place; what cannot be exported stays with the server", async () => {
    await open("edit");
    const choose = (name: string) => page.getByRole("combobox", { name: "Model" }).selectOption(name);
    await choose("coloured");
    await page.getByLabel("Colour").fill("#ff8800");
    await drag(page, "pad", [0.2, 0.2], [0.8, 0.7]);
    await expectSame("edited");
    await page.getByRole("link", { name: "Generate" }).click();
    const coloured = await drawn(page, "grid");
    await choose("tiny");
    const tiny = await changed(page, "grid", coloured);
    const own = () => page.workers().filter((worker) => worker.url().includes("/assets/worker-")).length;
    await expect.poll(own, { timeout: 10_000 }).toBe(1); // a browser ends a worker that computes within some seconds
    await choose("consistent");
    const consistent = await changed(page, "grid", tiny);
    expect(await page.getByRole("slider", { name: "Steps" }).count()).toBe(0);
    await choose("old");
    await changed(page, "grid", consistent);
    expect(await page.getByRole("radio", { name: "in this page" }).count()).toBe(0);
    expect(await provider()).toContain("on the server");
    await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(0);
  });

  test("with a token", async () => {
    const locked = await serving({ token: "open-sesame", models: models.slice(0, 1) });
    await open("generate", `${locked.url}/`);
    await page.getByLabel("This server asks for its token:").fill("open-sesame");
    await page.getByRole("button", { name: "Unlock" }).click();
    await expectSame("grid");
    await page.close();
    await locked.stop();
    await open("generate");
  });

  test("where it cannot, the server does, and it says so; another choice tries again", async () => {
    await open("generate");
    await page.route("**/export/manifest.json", (route) => route.abort());
    const before = await drawn(page, "grid");
    await page.getByRole("radio", { name: "in this page" }).check();
    const told = page.getByText("This page cannot draw, so the server does");
    expect(await told.textContent()).toMatch(/\/v1\/models\/tiny\/export\/manifest.json cannot be reached\.$/);
    await page.getByLabel("Seed: one on", { exact: true }).click();
    await changed(page, "grid", before);
    await page.unroute("**/export/manifest.json");
    await page.getByRole("radio", { name: "on the server" }).check();
    await inPage();
    expect(await told.count()).toBe(0);
  });

  test("goes on without the server that it came from", async () => {
    const own = await serving({ models: models.slice(0, 1) });
    await open("generate", `${own.url}/`);
    await inPage();
    await own.stop();
    await redrawn("grid");
    expect(await page.getByText("The server cannot be reached").count()).toBe(0);
  });

  test("a site below any path of any web server draws, morphs and edits, and asks for nothing else", async () => {
    await open("generate");
    const served = await redrawn("grid");
    await page.close();
    await writeSite({ models: models.slice(0, 3), out: join(folder, "site"), title: `Digits & "more"`, threads: 1 });
    const plain = await plainServer(join(folder, "site"));
    await open("generate", plain.url);
    expect(largest(await redrawn("grid"), served)).toBeLessThanOrEqual(1);
    expect([await page.title(), await provider()]).toEqual([`Digits & "more"`, "WebAssembly in this page, 1 thread"]);
    for (const absent of ["Train", "on the server"]) expect(await page.getByText(absent).count()).toBe(0);
    await page.getByRole("radio", { name: "Morph" }).check();
    const before = await drawn(page, "spotted");
    await drag(page, "plane", [0.5, 0.5], [0.9, 0.2]);
    await changed(page, "spotted", before);
    await page.getByRole("combobox", { name: "Model" }).selectOption("coloured");
    await page.getByRole("link", { name: "Edit" }).click();
    const empty = await drawn(page, "edited");
    await drag(page, "pad", [0.2, 0.2], [0.8, 0.7]);
    await changed(page, "edited", empty);
    expect(plain.asked.filter((path) => !path.startsWith("/some/path/"))).toEqual([]);
    expect(plain.asked.filter((path) => /webgpu|asyncify/.test(path))).toEqual([]);
    await page.close();
    await plain.close();
    await open("generate");
  });

  test("a GPU that is lost leaves WebAssembly, and the images go on", async () => {
    const gpu = await chromium.launch({ executablePath: CHROMIUM, args: SOFTWARE_GPU });
    page = await gpu.newPage();
    await page.route("**/assets/worker-*.js", async (route) => {
      const response = await route.fetch();
      const disguise = `Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });`;
      await route.fulfill({ response, body: `${disguise}\n${await response.text()}` });
    });
    await page.goto(server.url);
    await page.getByRole("radio", { name: "in this page" }).check();
    await expect.poll(provider, { timeout: 30_000 }).toBe("WebGPU in this page");
    const before = await drawn(page, "grid");
    const worker = page.workers().find((own) => own.url().includes("/assets/worker-"))!;
    await worker.evaluate(`GPUQueue.prototype.submit = () => { throw new Error("the device is lost"); }`);
    await page.getByLabel("Seed: one on").click();
    await changed(page, "grid", before);
    expect(await provider()).toMatch(/^WebAssembly in this page/);
    expect(await page.getByRole("alert").count()).toBe(0);
    await gpu.close();
    await open("generate");
  });

  test("a site whose model is gone says so", async () => {
    await writeSite({ models: models.slice(0, 1), out: join(folder, "broken"), threads: 1 });
    await rm(join(folder, "broken", "models"), { recursive: true });
    const plain = await plainServer(join(folder, "broken"));
    await open("generate", plain.url);
    await page.getByText(/This page cannot draw: http:\S+\/models\/1\/manifest.json answers 404\./).waitFor();
    await page.close();
    await plain.close();
    await open("generate");
  });
});
