import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeSite } from "../src/serve/site.js";
import type { SiteList } from "../src/serve/siteList.js";
import { soflow } from "./cli.js";
import { writeTinyModel } from "./serve/model.js";

/** Folders of `soflow site`. That they draw, tests/serve/page.test.ts shows in a browser. */

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
const APP = `<!doctype html><html><head><title>soflow</title></head></html>`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-site-"));
  await writeTinyModel(folder, "tiny");
  await writeTinyModel(folder, "old", { kind: "ddpm" });
  await writeTinyModel(folder, "latents", { kind: "meanflow" }, { channels: 4 });
  await mkdir(at("app"));
  await writeFile(at("app", "index.html"), APP);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("holds the app, the models by name and ONNX Runtime's files, and nothing else is left", async () => {
  const before = await readdir(folder);
  const models = [`digits=${at("tiny")}`, at("tiny")];
  const site = await writeSite({ models, out: at("site"), title: "<1> & $&", threads: 1, app: at("app") });
  expect(site.models.map(({ name, folder: own }) => [name, own])).toEqual([
    ["digits", "models/1/"],
    ["tiny", "models/2/"],
  ]);
  const list = JSON.parse(await readFile(at("site", "models.json"), "utf8")) as SiteList;
  expect(list).toEqual({ format: "soflow-site", version: 1, models: site.models });
  expect(list.models[0]).toMatchObject({ method: "soflow", size: 8, channels: 1, canEdit: true, steps: 1 });
  expect(await readFile(at("site", "index.html"), "utf8")).toContain(
    `<title>&lt;1&gt; &amp; $&amp;</title>\n    <meta name="soflow-site" content="models.json" />`,
  );
  expect((await readdir(at("site", "models", "1"))).includes("manifest.json")).toBe(true);
  expect((await readdir(at("site", "ort"))).sort()).toEqual([
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.wasm.min.mjs",
    "ort.webgpu.min.mjs",
  ]);
  expect(site.bytes).toBeGreaterThan(4e7);
  expect((await readdir(folder)).filter((name) => !before.includes(name))).toEqual(["site"]);
});

test("an app that is not built is refused", async () => {
  await expect(writeSite({ models: [at("tiny")], out: at("none"), app: at("nowhere") })).rejects.toThrow(
    "site: the app is not built; build it with npm run build:web",
  );
});

test("what fails on the way leaves nothing", async () => {
  await cp(at("tiny"), at("damaged"), { recursive: true });
  await writeFile(at("damaged", "model.safetensors"), "");
  const before = await readdir(folder);
  const models = [at("tiny"), at("damaged")];
  await expect(writeSite({ models, out: at("none"), app: at("app"), threads: 1 })).rejects.toThrow(/damaged/);
  expect(await readdir(folder)).toEqual(before);
});

test.each([
  [["tiny", "--out", "app"], "site: --out /app is there already and not an empty folder; choose another"],
  [["tiny"], "site: --out is missing; give the folder to make; see soflow site --help"],
  [["nothing", "--out", "none"], "site: there is no /nothing; give a run folder, a model folder or a checkpoint"],
  [["tiny", "tiny", "--out", "none"], "site: two models are named tiny; name one yourself, as in other=/tiny"],
  [
    ["tiny", "old", "--out", "none"],
    "site: /old draws with 100 steps (diffusion (DDPM)); a site needs models that draw with one: SoFlow, MeanFlow and consistency models",
  ],
  [["latents", "--out", "none"], "site: /latents draws latents of 4 channels; give their autoencoder with --vae"],
  [["tiny", "--out", "none", "--vae", "app"], "site: --vae is given, but no model draws latents; leave it out"],
  [["tiny", "--out", "none", "--precision", "int2"], "option '--precision <kind>' argument 'int2' is invalid"],
])("soflow site %j is refused in one line", async (words, line) => {
  const paths = words.map((word, i) => (word.startsWith("--") || words[i - 1] === "--precision" ? word : at(word)));
  const before = await readdir(folder);
  const { code, out, err } = await soflow("site", ...paths);
  expect(err.replaceAll(folder, "")).toContain(`soflow: ${line}`);
  expect([code, out, err.trim().split("\n").length]).toEqual([2, "", 1]);
  expect(await readdir(folder)).toEqual(before);
});
