import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { key } from "../src/random/random.js";
import { writeSite } from "../src/serve/site.js";
import { openDecoder, openEncoder } from "../src/train/autoencoder.js";
import { type ModelDescription, openNetwork, saveModel } from "../src/train/model.js";
import type { StoredTensor } from "../src/train/safetensorsFile.js";
import { CELLS, parametersOf, SIZE, stored, whole, writeAutoencoder } from "./autoencoder.js";
import { soflow } from "./cli.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
const writeVae = (name: string, tensors: readonly StoredTensor[], config: object = {}): Promise<string> =>
  writeAutoencoder(at(name), tensors, config);

const DESCRIPTION: ModelDescription = {
  format: "soflow",
  version: 1,
  network: { imageSize: CELLS, channels: 4, patch: 2, width: 16, depth: 1, heads: 2, classes: 2, nullLabel: false },
  method: { kind: "soflow", path: "linear", parameterisation: "euler" },
  classes: ["a", "b"],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-vae-"));
  await writeVae("vae", whole());
  const { parameters } = openNetwork(DESCRIPTION.network);
  const weights = parameters.map(({ name, tensor, initialize }) => stored(name, tensor.shape, initialize));
  await saveModel(at("model"), DESCRIPTION, weights, 1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a batch is encoded and decoded as its images one by one are", async () => {
  const [encoder, single] = [
    await openEncoder(at("vae"), { size: SIZE, batch: 3, threads: 1 }),
    await openEncoder(at("vae"), { size: SIZE, batch: 1, threads: 1 }),
  ];
  expect(encoder.latent).toEqual([4, CELLS, CELLS]);
  expect(encoder.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(single.hash).toBe(encoder.hash);
  const pixels = 3 * SIZE * SIZE;
  const images = key(2)
    .uniform(2 * pixels)
    .map((u) => 2 * u - 1);
  const both = await encoder.encode(images, 2); // fewer than the batch
  const second = await single.encode(images.subarray(pixels), 1);
  const numbers = 4 * CELLS * CELLS;
  expect([both.mean.length, both.deviation.length]).toEqual([2 * numbers, 2 * numbers]);
  const difference = Math.max(...second.mean.map((value, i) => Math.abs(value - both.mean[numbers + i]!)));
  expect(difference).toBeLessThan(1e-5);
  expect(Math.min(...both.deviation)).toBeGreaterThan(0);
  const decoder = await openDecoder(at("vae"), { latent: [4, CELLS], batch: 2, threads: 1 });
  expect(decoder.image).toEqual([3, SIZE]);
  const decoded = await decoder.decode(both.mean, 2);
  expect(decoded.length).toBe(2 * pixels);
  expect(decoded.subarray(pixels)).not.toEqual(decoded.subarray(0, pixels));
  const again = await decoder.decode(Float32Array.of(...both.mean, ...both.mean.subarray(0, numbers)), 3); // two batches
  expect(again.subarray(0, 2 * pixels)).toEqual(decoded);
  expect(again.subarray(2 * pixels)).toEqual(decoded.subarray(0, pixels));
  for (const part of [encoder, single, decoder]) await part.close();
});

test("older files, with query, key, value and proj_attn, as matrices or as 1×1 convolutions, are the same autoencoder", async () => {
  const older = parametersOf().map(({ name, tensor, initialize }) => {
    const before = name
      .replace("to_q", "query")
      .replace("to_k", "key")
      .replace("to_v", "value")
      .replace("to_out.0", "proj_attn");
    const { shape } = tensor;
    const asConvolution = before !== name && shape.length === 2 && name.startsWith("decoder");
    const values = stored(name, shape, initialize, before);
    return asConvolution ? { ...values, shape: [...shape, 1, 1] } : values;
  });
  await writeVae("older", older);
  const draw = async (vae: string): Promise<Float32Array> => {
    const decoder = await openDecoder(at(vae), { latent: [4, CELLS], batch: 1, threads: 1 });
    const image = await decoder.decode(key(3).normal(4 * CELLS * CELLS), 1);
    await decoder.close();
    return image;
  };
  expect(await draw("older")).toEqual(await draw("vae"));
});

test("sample decodes a model's latents: to a sheet, or to one image each", async () => {
  const words = ["sample", at("model"), "--vae", at("vae"), "--count", "3", "--threads", "1"];
  expect((await soflow(...words, "--out", at("sheet.png"))).err).not.toContain("soflow:");
  const { width } = await sharp(at("sheet.png")).metadata();
  expect(width).toBe(2 * (SIZE + 2) + 2);
  expect((await soflow(...words, "--out", `${at("images")}/`)).code).toBe(0);
  expect((await readdir(at("images"))).length).toBe(3);
  expect((await sharp(at("images", "000000.png")).metadata()).width).toBe(SIZE);
});

test("bad autoencoders are refused in one line, and nothing is written", async () => {
  await writeVae("short", whole().slice(3));
  await writeVae("wide", whole(), { norm_num_groups: 4, block_out_channels: [8, 24] });
  await writeVae("other", whole(), { _class_name: "UNet2DModel" });
  await mkdir(at("empty"));
  const out = at("never.png");
  const sample = async (vae: string): Promise<string> => {
    const { code, err } = await soflow("sample", at("model"), "--vae", at(vae), "--count", "1", "--out", out);
    expect(code).toBe(2);
    return err
      .replaceAll(folder, "")
      .split("\n")
      .findLast((line) => line.startsWith("soflow:"))!;
  };
  expect(await sample("nowhere")).toBe(
    "soflow: vae: there is no /nowhere; give a folder with config.json and diffusion_pytorch_model.safetensors",
  );
  expect(await sample("empty")).toBe(
    "soflow: vae: /empty holds no weights; it needs diffusion_pytorch_model.safetensors or model.safetensors",
  );
  expect(await sample("other")).toBe(
    'soflow: vae: /other/config.json does not describe an autoencoder: its _class_name is "UNet2DModel", not "AutoencoderKL"',
  );
  expect(await sample("wide")).toMatch(
    /^soflow: vae: \/wide\/diffusion_pytorch_model.safetensors does not fit: decoder.conv_in.weight is \[16 4 3 3\], not \[24 4 3 3\];.*and \d+ more$/,
  );
  const without = await soflow("sample", at("model"), "--count", "1", "--out", out);
  expect(without.err).toContain("soflow: sample: this model draws latents with 4 channels; give --vae with the folder");
  expect((await readdir(folder)).includes("never.png")).toBe(false);
  await expect(openEncoder(at("vae"), { size: 15, batch: 1 })).rejects.toThrow(
    "images of 15×15 do not fit the autoencoder; the side must be a multiple of 2",
  );
  await expect(openEncoder(at("short"), { size: 16, batch: 1 })).rejects.toThrow(/encoder.conv_in.weight is missing/);
});

test("a site has the autoencoder inside its model: images of its size, and only latents that could be edited", async () => {
  const out = at("site");
  const { models } = await writeSite({ models: [at("model")], out, vae: at("vae"), threads: 1 });
  expect(models).toMatchObject([{ name: "model", size: SIZE, channels: 3, canEdit: false, classes: ["a", "b"] }]);
});
