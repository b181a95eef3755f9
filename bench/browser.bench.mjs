// How fast are exported models in a page, on WebAssembly and on WebGPU?
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { machine, spread, table } from "./lib/rounds.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const FLAGS = "--no-sandbox --enable-unsafe-webgpu --enable-features=Vulkan --disable-vulkan-surface".split(" ");
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const PAGE = `<!doctype html><script type="module">import * as web from "/dist/browser/index.js"; globalThis.web = web;</script>`;

/** The library, ONNX Runtime's files and the exported folder, under the headers that threads need. */
const serve = (model) =>
  new Promise((resolve) => {
    const places = {
      "/dist/": join(ROOT, "dist/"),
      "/ort/": join(ROOT, "node_modules/onnxruntime-web/dist/"),
      "/model/": `${model}/`,
    };
    const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url, "http://x").pathname);
      const prefix = Object.keys(places).find((start) => path.startsWith(start));
      const file = prefix && join(places[prefix], path.slice(prefix.length));
      if (path === "/") return response.writeHead(200, { ...headers, "content-type": "text/html" }).end(PAGE);
      if (!file || !existsSync(file)) return response.writeHead(404).end();
      const bytes = readFileSync(file);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { ...headers, "content-type": type, "content-length": bytes.length }).end(bytes);
    });
    server.listen(0, "127.0.0.1", () => resolve(server));
  });

const measure = (page, device, counts, rounds, threads) =>
  page.evaluate(
    async ([kind, sizes, n, cores]) => {
      const model = await globalThis.web.SoFlow.load("/model", { runtime: "/ort", device: kind, threads: cores });
      const results = {};
      for (const count of sizes) {
        const began = performance.now(); // until the page's own code is compiled
        for (let k = 0; k === 0 || (k < 20 && performance.now() - began < 1000); k++) await model.generate({ count });
        results[count] = [];
        for (let k = 0; k < n; k++) results[count].push((await model.generate({ count, seed: k })).milliseconds);
      }
      model.close();
      return results;
    },
    [device, counts, rounds, threads],
  );

/** `browser FOLDER [rounds] [threads] [counts]`: a folder that soflow export wrote; 30 rounds, 2 threads, 1 and 64 images by default. */
export const run = async ([folder, rounds = "30", threads = "2", counts = "1,64"]) => {
  const server = await serve(folder);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const rows = [];
  for (const device of ["wasm", "webgpu"]) {
    const gpu = process.env.SOFLOW_GPU ? [] : ["--use-webgpu-adapter=swiftshader"];
    const browser = await chromium.launch({ executablePath, args: [...FLAGS, ...gpu] });
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction("globalThis.web");
    const found = await measure(page, device, counts.split(",").map(Number), Number(rounds), Number(threads));
    for (const [count, ms] of Object.entries(found)) rows.push([`${device}, ${count} at once`, spread(ms)]);
    await browser.close();
  }
  server.close();
  console.log(
    `${machine(threads)}; headless Chromium, WebGPU ${process.env.SOFLOW_GPU ? "on the GPU" : "on SwiftShader (no GPU)"}\n`,
  );
  table(["images of one step, with drawing their noise", "ms (quartiles)"], rows);
};
