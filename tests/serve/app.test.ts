import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "../../src/serve/server.js";
import { CHROMIUM, changed, drag, drawn, missing, openApp, WIDE } from "./driver.js";
import { writeTinyModel } from "./model.js";

/** Drives the built app in the system's Chromium, as a person would. */

let folder: string;
let models: string[];
let browser: Browser;
let server: Serving;
let page: Page;
let problems: string[];

const serving = (changes: Partial<ServeOptions> = {}): Promise<Serving> =>
  startServer({ ...SERVE_DEFAULTS, models, port: 0, threads: 1, runs: folder, report: () => {}, ...changes });

const lineOf = (step: number, loss = 1 / step): string => `${JSON.stringify({ step, loss })}\n`;

const writeRun = async (name: string, from: number): Promise<void> => {
  const run = join(folder, name);
  await mkdir(join(run, "samples"), { recursive: true });
  await writeFile(
    join(run, "metrics.jsonl"),
    Array.from({ length: 20 }, (_, i) => lineOf(i + 1, from / (i + 1))).join(""),
  );
  const picture = sharp({ create: { width: 16, height: 16, channels: 3, background: "teal" } });
  for (const step of ["00000010", "00000020"])
    await picture
      .clone()
      .png()
      .toFile(join(run, "samples", `step-${step}.png`));
};

const open = async (tab: string, size = WIDE, url = server.url): Promise<void> => {
  page = await openApp(browser, { url: `${url}/`, tab, size, problems });
};

/** How many pixels of the chart have exactly this colour. */
const inked = (rgb: readonly number[]): Promise<number> =>
  page.locator(".chart canvas").evaluate((element, wanted) => {
    const canvas = element as HTMLCanvasElement;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (wanted.every((value, c) => data[i + c] === value)) count++;
    return count;
  }, rgb);
const BLUE = [0x00, 0x72, 0xb2];
const ORANGE = [0xe6, 0x9f, 0x00];

/** A finger on the drawing moves the result. */
const touch = async (): Promise<void> => {
  const before = await drawn(page, "edited");
  const box = (await page.getByTestId("pad").boundingBox())!;
  await page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
  await changed(page, "edited", before);
};

describe.skipIf(missing !== "")(`the app in a browser${missing && `: ${missing}`}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "soflow-app-"));
    models = [
      await writeTinyModel(folder, "tiny"),
      await writeTinyModel(folder, "coloured", { kind: "meanflow" }, { channels: 3, classes: 0 }),
      await writeTinyModel(folder, "old", { kind: "ddpm" }),
    ];
    await writeRun("runs/first", 1);
    await writeRun("runs/second", 2);
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

  test("Generate: the grid follows seed, class, steps, number and model; a seed gives the same again", async () => {
    await open("generate");
    const first = await drawn(page, "grid");
    await page.getByLabel("Seed: one on").click();
    const second = await changed(page, "grid", first);
    await page.getByLabel("Seed: one back").click();
    expect(await changed(page, "grid", second)).toBe(first);
    await page.getByRole("button", { name: "class 2" }).click();
    const third = await changed(page, "grid", first);
    await page.getByRole("slider", { name: "Steps" }).fill("3");
    const fourth = await changed(page, "grid", third);
    await page.getByRole("combobox", { name: "Images" }).selectOption("16");
    const fifth = await changed(page, "grid", fourth);
    await page.getByRole("combobox", { name: "Model" }).selectOption("coloured");
    await changed(page, "grid", fifth);
    expect(await page.getByRole("button", { name: "class 2" }).count()).toBe(0);
    expect(await page.getByTestId("timing").textContent()).toMatch(/16 images in \d+ ms \(3 evaluations each\)/);
  });

  test("Morph: the image follows the pointer and the arrow keys", async () => {
    await open("generate");
    await page.getByRole("radio", { name: "Morph" }).check();
    const before = await drawn(page, "spotted");
    await drag(page, "plane", [0.5, 0.5], [0.9, 0.2]);
    const dragged = await changed(page, "spotted", before);
    await page.getByTestId("plane").focus();
    await page.keyboard.press("ArrowDown");
    await changed(page, "spotted", dragged);
  });

  test("Between: the ends are the seeds; it plays", async () => {
    await open("generate");
    await page.getByRole("radio", { name: "Between" }).check();
    const middle = await drawn(page, "blended");
    await page.getByRole("slider", { name: "Between" }).fill("0");
    const start = await changed(page, "blended", middle);
    await page.getByLabel("To seed: one on").click();
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(400);
    await page.getByRole("button", { name: "Pause" }).click();
    await changed(page, "blended", start);
  });

  test("Edit: the result follows brush, noise and undo; under a mask the rest stays", async () => {
    await open("edit");
    const empty = await drawn(page, "edited");
    await drag(page, "pad", [0.2, 0.2], [0.8, 0.7]);
    const line = await changed(page, "edited", empty);
    await page.getByRole("slider", { name: "Noise" }).fill("0.1");
    const faint = await changed(page, "edited", line);
    await page.getByRole("radio", { name: "Mask" }).check();
    await drag(page, "pad", [0.8, 0.8], [0.9, 0.9]);
    const masked = await changed(page, "edited", faint);
    expect(await page.getByRole("button", { name: "Remove mask" }).isVisible()).toBe(true);
    await page.getByRole("button", { name: "Undo" }).click();
    expect(await changed(page, "edited", masked)).toBe(faint);
    await page.getByRole("button", { name: "Clear" }).click();
    await changed(page, "edited", faint);
  });

  test("Edit: a picture from a file is taken; a model that cannot edit says so", async () => {
    await open("edit");
    const empty = await drawn(page, "edited");
    const buffer = await sharp({ create: { width: 30, height: 20, channels: 3, background: "white" } })
      .png()
      .toBuffer();
    await page.getByLabel("Open a picture").setInputFiles({ name: "white.png", mimeType: "image/png", buffer });
    await changed(page, "edited", empty);
    await page.getByRole("combobox", { name: "Model" }).selectOption("old");
    expect(await page.getByText("models cannot be edited with in one step").textContent()).toContain(
      "diffusion (DDPM)",
    );
  });

  test("Train: curves of chosen runs, which grow while one looks; samples through time", async () => {
    await open("train");
    await expect.poll(() => page.getByTestId("chart").getAttribute("data-points")).toBe("20");
    for (const colour of [BLUE, ORANGE]) await expect.poll(() => inked(colour)).toBeGreaterThan(50);
    await page.getByLabel("second").first().uncheck();
    await expect.poll(() => inked(ORANGE)).toBe(0);
    expect(await page.locator(".samples").count()).toBe(1);
    await page.getByLabel("runs/first: time").fill("0");
    await page.getByText("first, step 10").waitFor();
    await page.getByLabel("logarithmic").check();
    await appendFile(join(folder, "runs/first/metrics.jsonl"), lineOf(21));
    await expect.poll(() => page.getByTestId("chart").getAttribute("data-points"), { timeout: 8000 }).toBe("21");
  });

  test("fits a phone, where a finger draws", async () => {
    for (const tab of ["generate", "edit", "train"]) {
      await open(tab, { width: 360, height: 740 });
      await page.getByTestId("status").waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, tab).toBeLessThanOrEqual(360);
      if (tab === "edit") await touch();
      if (tab !== "train") await page.close();
    }
  });

  test("asks for the token, and goes on with it", async () => {
    const locked = await serving({ token: "open-sesame", models: models.slice(0, 1) });
    await open("generate", undefined, locked.url);
    await page.getByLabel("This server asks for its token:").fill("open-sesame");
    await page.getByRole("button", { name: "Unlock" }).click();
    await drawn(page, "grid");
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.close();
    await locked.stop();
    await open("generate");
  });

  test("says when the server is gone, and goes on by itself when it is back", async () => {
    const first = await serving({ models: models.slice(0, 1) });
    await open("generate", undefined, first.url);
    const before = await drawn(page, "grid");
    await first.stop();
    await page.getByLabel("Seed: one on").click();
    await page.getByText("The server cannot be reached").waitFor();
    const again = await serving({ models: models.slice(0, 1), port: Number(new URL(first.url).port) });
    await changed(page, "grid", before);
    expect(await page.getByText("The server cannot be reached").count()).toBe(0);
    await page.close();
    await again.stop();
    await open("generate");
  });
});
