import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelList } from "../../src/serve/protocol.js";
import { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "../../src/serve/server.js";
import type { Manifest } from "../../src/train/export/manifest.js";
import { writeAutoencoder } from "../autoencoder.js";
import { soflow } from "../cli.js";
import { writeTinyModel } from "./model.js";

/** What a server gives to pages that draw by themselves. */

let folder: string;
let server: Serving;
let models: string[];
const reports: string[] = [];

const serving = (changes: Partial<ServeOptions> = {}): Promise<Serving> =>
  startServer({ ...SERVE_DEFAULTS, models, port: 0, threads: 1, maxBatch: 1, report: () => {}, ...changes });

const temporaryFolders = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith("soflow-exported-"));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-exports-"));
  process.env.TMPDIR = folder; // other tests make folders of the same kind
  models = [
    await writeTinyModel(folder, "tiny model"),
    await writeTinyModel(folder, "old", { kind: "ddpm" }),
    await writeTinyModel(folder, "latents", { kind: "meanflow" }, { channels: 4 }),
  ];
  const vae = await writeAutoencoder(join(folder, "vae"));
  server = await serving({ vae, report: (text) => reports.push(text) });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const RUN = `
data: { kind: glyphs, size: 8, samples: 100 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
train: { steps: 1, batch: 4, sampleCount: 4, threads: 1 }
`;

const TINY = "/v1/models/tiny%20model/export/";
const get = (path: string, headers: Record<string, string> = {}, { url } = server): Promise<Response> =>
  fetch(url + path, { headers });
const refusal = async (path: string): Promise<string> => {
  const response = await get(path);
  return `${response.status} ${((await response.json()) as { error: { message: string } }).error.message}`;
};
/** The status of a path exactly as it is written: `fetch` would tidy it. */
const statusOf = (path: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    httpRequest({ hostname, port, path }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });

describe("a served model as an exported folder", () => {
  test("is whole, made once however many ask, and not sent again to who has it", async () => {
    const [first, second] = await Promise.all([get(`${TINY}manifest.json`), get(`${TINY}manifest.json`)]);
    const manifest = (await first!.json()) as Manifest;
    expect(await second!.json()).toEqual(manifest);
    expect(first!.headers.get("content-type")).toBe("application/json");
    expect([manifest.format, manifest.measured]).toEqual(["soflow-export", undefined]);
    for (const { name, bytes, sha256 } of manifest.files) {
      const response = await get(TINY + name);
      const body = new Uint8Array(await response.arrayBuffer());
      expect(response.headers.get("content-length")).toBe(String(bytes));
      expect(createHash("sha256").update(body).digest("hex")).toBe(sha256);
      const again = await get(TINY + name, { "If-None-Match": response.headers.get("etag")! });
      expect([again.status, (await again.arrayBuffer()).byteLength]).toEqual([304, 0]);
    }
    expect(reports.filter((text) => text.startsWith("exporting"))).toEqual(["exporting tiny model for a page"]);
  });

  test("is offered where the model draws images in one step", async () => {
    const { models: listed } = (await (await get("/v1/models")).json()) as ModelList;
    expect(listed.map(({ canExport }) => canExport)).toEqual([true, false, false]);
    const why = "is not exported: only models that draw images with one step are";
    for (const name of ["old", "latents"])
      expect(await refusal(`/v1/models/${name}/export/manifest.json`)).toBe(`422 ${name} ${why}`);
  });

  test("has no other files, whatever they are called", async () => {
    expect(await refusal(`${TINY}example.py`)).toBe("404 the exported tiny model has no file example.py");
    expect(await refusal("/v1/models/none/export/manifest.json")).toMatch(/^404 there is no model none; served are /);
    for (const path of ["../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/manifest.json", "", "%00"])
      expect(await statusOf(TINY + path), path).toBe(404);
    for (const path of ["/ort/", "/ort/package.json", "/ort/..%2fpackage.json", "/ort/ort.all.min.mjs"])
      expect(await statusOf(path), path).toBe(404);
  });

  test("is there for who has the token; ONNX Runtime, like the page, for all", async () => {
    const locked = await serving({ token: "open-sesame", models: models.slice(0, 1) });
    expect((await get(`${TINY}manifest.json`, {}, locked)).status).toBe(401);
    expect((await get(`${TINY}manifest.json`, { Authorization: "Bearer open-sesame" }, locked)).status).toBe(200);
    const script = await get("/ort/ort.wasm.min.mjs", {}, locked);
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    const wasm = await get("/ort/ort-wasm-simd-threaded.wasm", {}, locked);
    expect(wasm.headers.get("content-type")).toBe("application/wasm");
    expect(wasm.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    await wasm.body!.cancel();
    await locked.stop();
  });

  test("is removed when the server stops", async () => {
    const before = await temporaryFolders();
    const own = await serving({ models: models.slice(0, 1) });
    await (await get(`${TINY}model.onnx`, {}, own)).arrayBuffer();
    expect(await temporaryFolders()).toHaveLength(before.length + 1);
    await own.stop();
    expect(await temporaryFolders()).toEqual(before);
  });

  test("whose weights are gone since is refused, and asked for again when it is asked for again", async () => {
    const source = await writeTinyModel(folder, "moved");
    const own = await serving({ models: [source] });
    await rm(source, { recursive: true });
    const path = "/v1/models/moved/export/manifest.json";
    const refused = await get(path, {}, own);
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining("export: there is no ")]);
    await writeTinyModel(folder, "moved");
    expect((await get(path, {}, own)).status).toBe(200);
    await own.stop();
  });

  test("of a run that trains on is of the step that is served", async () => {
    const config = join(folder, "run.yaml");
    await writeFile(config, RUN);
    const train = (steps: number) =>
      soflow("train", "--config", config, "--out", join(folder, "run"), "--set", `train.steps=${steps}`);
    expect((await train(1)).code).toBe(0);
    const own = await serving({ models: [join(folder, "run")] });
    const again = await serving({ models: [join(folder, "run")] });
    const shaOf = async (from: Serving): Promise<string> => {
      const { files } = (await (await get("/v1/models/run/export/manifest.json", {}, from)).json()) as Manifest;
      return files.find(({ name }) => name === "model.onnx_data")!.sha256;
    };
    const before = await shaOf(own);
    expect((await train(2)).code).toBe(0);
    const later = await serving({ models: [join(folder, "run")] });
    expect(await shaOf(again)).toBe(before);
    expect(await shaOf(later)).not.toBe(before);
    for (const serving of [own, again, later]) await serving.stop();
  });
});
