import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageOf } from "../../src/editing/index.js";
import { openRuntime } from "../../src/runtime/index.js";
import { ServedModel } from "../../src/serve/model.js";
import { openPictures, type Pictures, shrunk } from "../../src/serve/pictures.js";
import type { EditRequest, GenerateRequest, ModelList } from "../../src/serve/protocol.js";
import { SERVE_DEFAULTS, type Serving, startServer } from "../../src/serve/server.js";
import { readDescription } from "../../src/train/model.js";
import { SoFlow } from "../../src/train/pretrained.js";
import { CELLS, SIZE, writeAutoencoder } from "../autoencoder.js";
import { soflow } from "../cli.js";
import { writeTinyModel } from "./model.js";

/** Models that draw latents, served with their autoencoder. */

let folder: string;
let model: string;
let vae: string;
let server: Serving;
const bytes = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i * 37) % 256);
let image: string;

beforeAll(async () => {
  const raw = { width: SIZE, height: SIZE, channels: 3 } as const;
  image = (await sharp(bytes, { raw }).png().toBuffer()).toString("base64");
  folder = await mkdtemp(join(tmpdir(), "soflow-latents-"));
  model = await writeTinyModel(folder, "latents", undefined, { channels: 4, imageSize: CELLS });
  await writeTinyModel(folder, "images");
  vae = await writeAutoencoder(join(folder, "vae"));
  const options = { ...SERVE_DEFAULTS, port: 0, threads: 1, maxBatch: 4, report: () => {} };
  server = await startServer({ ...options, models: [model], vae });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const raw = async (path: string, body: GenerateRequest | EditRequest): Promise<Float32Array> => {
  const headers = { "Content-Type": "application/json", Accept: "application/octet-stream" };
  const response = await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  expect(response.headers.get("X-Shape")).toMatch(new RegExp(`,3,${SIZE},${SIZE}$`));
  return new Float32Array(await response.arrayBuffer());
};
const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : 1e9);

describe("served latents", () => {
  test("are images of the autoencoder's size, those that the library decodes", async () => {
    const { models } = (await (await fetch(`${server.url}/v1/models`)).json()) as ModelList;
    expect(models).toMatchObject([{ size: SIZE, channels: 3, canEdit: true, canExport: false }]);
    const known = await SoFlow.fromPretrained(model, { vae, threads: 1 });
    for (const steps of [1, 2]) {
      const { images } = await known.generate({ count: 6, seed: 3, steps });
      expect(largest(await raw("/v1/images", { count: 6, seed: 3, steps }), images)).toBeLessThan(1e-4);
    }
    await known.close();
  });

  test("are edited as latents, and under a mask what stays keeps its pixels", async () => {
    const half = Uint8Array.from({ length: SIZE * SIZE }, (_, p) => (p % SIZE < SIZE / 2 ? 255 : 0));
    const mask = await sharp(half, { raw: { width: SIZE, height: SIZE, channels: 1 } })
      .png()
      .toBuffer();
    const picture = imageOf({ bytes, stored: 3 }, 3, SIZE * SIZE);
    const runtime = await openRuntime({ threads: 1 });
    const { network } = await readDescription(join(model, "config.json"));
    const pictures: Pictures = await openPictures(runtime, network, vae);
    const there = await pictures.toPictures(await pictures.toModel(picture), 1);
    expect(largest(await raw("/v1/images/edit", { image, strength: 1e-6 }), there)).toBeLessThan(1e-3);
    await pictures.release();
    await runtime.close();
    const edited = await raw("/v1/images/edit", { image, mask: mask.toString("base64"), strength: 0.8, steps: 2 });
    for (let i = 0; i < edited.length; i++) if (i % SIZE >= SIZE / 2) expect(edited[i]).toBe(picture[i]);
    expect(largest(edited, picture)).toBeGreaterThan(0.05);
    const two = await Promise.all([1, 2].map((seed) => raw("/v1/images/edit", { image, strength: 0.9, seed })));
    for (const [i, seed] of [1, 2].entries())
      expect(largest(await raw("/v1/images/edit", { image, strength: 0.9, seed }), two[i]!)).toBeLessThan(1e-5);
  });

  test("are encoded and decoded in the queue: beyond it 429, and none for who has left", async () => {
    const runtime = await openRuntime({ threads: 1 });
    const settings = { maxBatch: 1, maxWait: 0, maxQueue: 1, weights: "ema", precision: "float32" } as const;
    const served = await ServedModel.open("latents", model, { ...settings, runtime, vae, report: () => {} });
    const picture = imageOf({ bytes, stored: 3 }, 3, SIZE * SIZE);
    const left = new AbortController();
    const calls = [
      served.convert("toModel", picture, {}),
      served.convert("toModel", picture, { signal: left.signal }),
      served.convert("toModel", picture, {}),
    ];
    left.abort(new Error("gone"));
    const [first, second, third] = await Promise.allSettled(calls);
    expect(first).toMatchObject({ status: "fulfilled", value: { length: 4 * CELLS * CELLS } });
    expect(second).toMatchObject({ status: "rejected", reason: { message: "gone" } });
    expect(third).toMatchObject({ status: "rejected", reason: { status: 429 } });
    await served.batcher.drained();
    await served.release();
    await runtime.close();
  });

  test.each([
    [["latents"], "serve: /latents draws latents of 4 channels; give their autoencoder with --vae"],
    [["images", "--vae", "vae"], "serve: --vae is given, but no model draws latents; leave it out"],
    [
      ["latents", "--vae", "none"],
      "vae: there is no /none; give a folder with config.json and diffusion_pytorch_model.safetensors",
    ],
  ])("soflow serve %j is refused in one line", async (words, message) => {
    const paths = words.map((word) => (word.startsWith("--") ? word : join(folder, word)));
    const { code, err } = await soflow("serve", ...paths, "--port", "0", "--threads", "1", "--max-batch", "1");
    expect(code).toBe(2);
    expect(err.replaceAll(folder, "").trim().split("\n").at(-1)).toBe(`soflow: ${message}`);
  });
});

test("a mask shrinks to the means of its cells", () => {
  const mask = Float32Array.from({ length: 16 }, (_, p) => (p % 4 === 0 ? 1 : 0));
  expect([...shrunk(mask, 4, 2)]).toEqual([0.5, 0, 0.5, 0]);
});
