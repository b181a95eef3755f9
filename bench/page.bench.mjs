// How fast do images follow the hand where the app draws in the page?
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { cpus, tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { writeSite } from "../dist/serve/site.js";
import { spread, table } from "./lib/rounds.mjs";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const host = (folder, headers) =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url, "http://x").pathname);
      const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
      if (!existsSync(file)) return response.writeHead(404).end();
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { ...headers, "content-type": type }).end(readFileSync(file));
    });
    server.listen(0, "127.0.0.1", () => resolve(server));
  });

/** Notes when images are painted into the canvas that is named. */
const watchPaint = () => {
  globalThis.painted = [];
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    globalThis.painted.push([this.canvas.dataset.testid, performance.now()]);
    return put.apply(this, given);
  };
};
const paintedIn = (page, id) =>
  page.evaluate((name) => globalThis.painted.filter(([own]) => own === name).map(([, at]) => at), id);
const forget = (page) => page.evaluate("globalThis.painted.length = 0");

/** Milliseconds from one image to the next while the pointer moves over the plane without rest. */
const dragged = async (page, seconds) => {
  await page.getByRole("radio", { name: "Morph" }).check();
  await page.waitForTimeout(2000);
  const box = await page.getByTestId("plane").boundingBox();
  const at = (turn) => [
    box.x + box.width * (0.5 + 0.4 * Math.cos(turn)),
    box.y + box.height * (0.5 + 0.4 * Math.sin(turn)),
  ];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  await forget(page);
  for (let began = Date.now(), k = 0; Date.now() - began < 1000 * seconds; k++) await page.mouse.move(...at(k / 40));
  await page.mouse.up();
  const times = await paintedIn(page, "spotted");
  return times.slice(1).map((time, i) => time - times[i]);
};

/** Milliseconds from a click on the next seed to the last of 64 images. */
const clicked = async (page, rounds) => {
  const found = [];
  for (let k = 0; k < rounds; k++) {
    await forget(page);
    const began = await page.evaluate(() => {
      const start = performance.now();
      document.querySelector('[aria-label="Seed: one on"]').click();
      return start;
    });
    await page.waitForFunction("globalThis.painted.length >= 64");
    found.push((await paintedIn(page, "grid")).at(-1) - began);
  }
  return found;
};

/** `page MODEL [seconds] [rounds]`: a run or model folder; 10 seconds of dragging, 30 grids by default. */
export const run = async ([model, seconds = "10", rounds = "30"]) => {
  const folder = mkdtempSync(join(tmpdir(), "soflow-bench-"));
  await writeSite({ models: [model], out: join(folder, "site"), threads: 2 });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
  const rows = [];
  for (const headers of [ISOLATED, {}]) {
    const server = await host(join(folder, "site"), headers);
    const page = await browser.newPage({ viewport: { width: 1100, height: 800 } });
    await page.addInitScript(watchPaint);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction("globalThis.painted.length >= 64", undefined, { timeout: 60_000 });
    const provider = await page.getByTestId("provider").textContent();
    const grids = await clicked(page, Number(rounds));
    const frames = await dragged(page, Number(seconds));
    rows.push([provider, spread(frames), frames.length, spread(grids)]);
    await page.close();
    server.close();
  }
  await browser.close();
  rmSync(folder, { recursive: true });
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores; headless Chromium, frame after frame as the screen shows them\n`,
  );
  table(["", "an image while dragging, ms (quartiles)", "images", "64 images after a click, ms"], rows);
};
