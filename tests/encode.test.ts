import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Loader, openDataset } from "../src/data/index.js";
import { openHdf5, writeLatents } from "../src/data/latents/hdf5.js";
import { type AutoencoderConfig, decode, encode, SD_VAE } from "../src/models/autoencoder.js";
import { Scope } from "../src/nn/index.js";
import { input } from "../src/ops/index.js";
import { key } from "../src/random/random.js";
import { writeSafetensors } from "../src/train/safetensorsFile.js";
import { type Ended, soflow, start } from "./cli.js";

/** A tiny autoencoder, 8×8 pixels to 4×4 cells; twenty-four drawn digits as PNG files of two labels. */
const CONFIG: AutoencoderConfig = { ...SD_VAE, widths: [8, 8], groups: 4 };
const COUNT = 24;
const OFFICIAL = fileURLToPath(new URL("data/latents/official.hdf5", import.meta.url));

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

const writeVae = async (): Promise<void> => {
  const scope = new Scope();
  encode(CONFIG)(scope, input("x", { dtype: "float32", shape: [1, 3, 8, 8] }));
  decode(CONFIG)(scope, input("z", { dtype: "float32", shape: [1, 4, 4, 4] }));
  const tensors = scope.parameters.map(({ name, tensor: { shape }, initialize }) => ({
    name,
    shape,
    read: async () => initialize(key(1).fold(name), shape),
  }));
  await mkdir(at("vae"));
  const fields = { _class_name: "AutoencoderKL", block_out_channels: CONFIG.widths, norm_num_groups: CONFIG.groups };
  await writeFile(at("vae", "config.json"), JSON.stringify(fields));
  await writeSafetensors(at("vae", "diffusion_pytorch_model.safetensors"), tensors, {});
};

const writeImages = async (): Promise<void> => {
  const { default: sharp } = await import("sharp");
  const raw = { width: 8, height: 8, channels: 3 } as const;
  for (let i = 0; i < COUNT; i++) {
    const label = i % 2 === 0 ? "cat" : "dog";
    await mkdir(at("photos", label), { recursive: true });
    const pixels = Uint8Array.from(
      key(9)
        .fold(i)
        .integers(3 * 64, 256),
    );
    await sharp(pixels, { raw })
      .png()
      .toFile(at("photos", label, `${String(i).padStart(3, "0")}.png`));
  }
};

const words = (out: string, ...more: string[]): string[] => {
  const common = ["--vae", at("vae"), "--size", "8", "--threads", "1", "--out", at(out)];
  return ["encode", at("photos"), ...common, ...more];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-encode-"));
  await writeVae();
  await writeImages();
  expect((await soflow(...words("whole.h5", "--flip"))).code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts an encoding and sends it a signal as soon as it has made `rows` rows. */
const killAt = async (out: string, rows: number, signal: NodeJS.Signals = "SIGKILL"): Promise<Ended> => {
  const { process: child, ended } = start(words(out, "--flip"));
  const file = join(`${at(out)}.rows`, "rows.bin");
  const size = async (): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size;
  while ((await size()) < rows * (8 + 2 * 4 * 8 * 16)) await sleep(1);
  child.kill(signal);
  const how = await ended;
  expect(existsSync(at(out))).toBe(false);
  return how;
};

describe("encode", () => {
  test("killed twice, once in the middle of a row, it goes on to the same bytes", async () => {
    await killAt("killed.h5", 3);
    const rows = join(at("killed.h5.rows"), "rows.bin");
    await truncate(rows, (await stat(rows)).size - 100);
    await killAt("killed.h5", 9);
    expect((await soflow(...words("killed.h5", "--flip"))).out).toBe(`${2 * COUNT} latents: ${at("killed.h5")}\n`);
    expect(await readFile(at("killed.h5"))).toEqual(await readFile(at("whole.h5")));
    expect(existsSync(at("killed.h5.rows"))).toBe(false);
  });

  test("after SIGTERM, which ends it with the image in hand, the same command goes to the same bytes", async () => {
    const { code, err } = await killAt("stopped.h5", 3, "SIGTERM");
    expect(code).toBe(143);
    expect(
      err.endsWith("soflow: stopped by SIGTERM; the same command resumes after the images that are encoded\n"),
    ).toBe(true);
    const left = await stat(join(at("stopped.h5.rows"), "rows.bin"));
    expect(left.size % (8 + 2 * 4 * 8 * 16)).toBe(0);
    expect((await soflow(...words("stopped.h5", "--flip"))).code).toBe(0);
    expect(await readFile(at("stopped.h5"))).toEqual(await readFile(at("whole.h5")));
    for (const name of ["stopped.h5.rows", "stopped.h5.lock"]) expect(existsSync(at(name))).toBe(false);
  });

  test("two that make one file: the second is refused, and the file is whole", async () => {
    const first = start(words("twice.h5", "--flip"));
    while (!existsSync(at("twice.h5.rows"))) await sleep(1);
    first.process.kill("SIGSTOP"); // stopped, it still lives
    const second = await soflow(...words("twice.h5", "--flip"));
    first.process.kill("SIGCONT");
    expect(second).toMatchObject({ code: 2 });
    expect(second.err).toContain(
      `${at("twice.h5")} is in use by process ${first.process.pid}; wait for it, stop it, or`,
    );
    expect((await first.ended).code).toBe(0);
    expect(await readFile(at("twice.h5"))).toEqual(await readFile(at("whole.h5")));
  });

  test("parts, joined in their order, are the same bytes as one run", async () => {
    const parts = ["1/3", "2/3", "3/3"];
    for (const [i, part] of parts.entries())
      expect((await soflow(...words(`p${i}.h5`, "--flip", "--part", part))).code).toBe(0);
    const merged = await soflow("encode", "--merge", at("p0.h5"), at("p1.h5"), at("p2.h5"), "--out", at("merged.h5"));
    expect(merged.out).toBe(`${2 * COUNT} latents of 3 parts: ${at("merged.h5")}\n`);
    expect(await readFile(at("merged.h5"))).toEqual(await readFile(at("whole.h5")));
  });

  test("the file is laid out as the official script's; mirrored rows come after all others", async () => {
    const file = await openHdf5(at("whole.h5"));
    expect(file.names).toEqual(["amount", "labels", "latent_size", "latents"]);
    expect(file.dataset("latents")?.shape).toEqual([2 * COUNT, 8, 4, 4]);
    expect([file.dataset("amount")?.value(), file.dataset("latent_size")?.value()]).toEqual([BigInt(2 * COUNT), 4n]);
    const labels = Array.from(file.dataset("labels")!.rows(0, 2 * COUNT), Number);
    expect(labels.slice(0, COUNT)).toEqual(labels.slice(COUNT));
    file.close();
    const dataset = await openDataset({ kind: "latents", path: at("whole.h5"), size: 4, channels: 4 });
    expect([dataset.classes, dataset.length]).toEqual([["cat", "dog"], 2 * COUNT]);
    const [plain, mirrored] = [await dataset.read(5), await dataset.read(COUNT + 5)];
    expect(plain.pixels).not.toEqual(mirrored.pixels);
    expect(plain.label).toBe(mirrored.label);
    await dataset.close();
  });
});

describe("a file that h5py wrote", () => {
  test("is read as it was written", async () => {
    const dataset = await openDataset({ kind: "latents", path: OFFICIAL, size: 2, channels: 4 });
    expect([dataset.length, dataset.classes]).toEqual([6, ["0", "1", "2"]]);
    const { pixels, spread, label } = await dataset.read(4);
    expect([...pixels]).toEqual(Array.from({ length: 16 }, (_, k) => (128 + k) / 8));
    expect([...spread!.deviation]).toEqual(Array.from({ length: 16 }, (_, k) => (8 + Math.floor(k / 4)) / 16));
    expect(label).toBe(1);
    await dataset.close();
  });

  test("a loader draws (mean + deviation ε) · 0.18215, afresh in every epoch and the same after a resume", async () => {
    const dataset = await openDataset({ kind: "latents", path: OFFICIAL, size: 2, channels: 4 });
    const options = { seed: 3, batch: 6, flip: false, onError: "stop" } as const;
    const loader = new Loader(dataset, { ...options, startStep: 0 });
    const [first, second] = [await loader.next(), await loader.next()];
    const again = await new Loader(dataset, { ...options, startStep: 1 }).next();
    expect(again.images).toEqual(second.images);
    const [j, k] = [first.positions.indexOf(2), second.positions.indexOf(2)];
    const { pixels, spread } = await dataset.read(2);
    const epsilon = key(3).fold("latent").fold(first.indices[j]!).normal(16);
    const wanted = Array.from(epsilon, (e, i) => Math.fround((pixels[i]! + spread!.deviation[i]! * e) * 0.18215));
    const own = [...first.images.subarray(16 * j, 16 * j + 16)];
    expect(Math.max(...own.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThan(1e-6);
    expect([...second.images.subarray(16 * k, 16 * k + 16)]).not.toEqual(own);
    await dataset.close();
  });
});

describe("bad input is refused in one line, and nothing is left", () => {
  const refused = async (...line: string[]): Promise<string> => {
    const { code, err } = await soflow(...line);
    expect(code).toBe(2);
    return err
      .replaceAll(folder, "")
      .split("\n")
      .findLast((text) => text.startsWith("soflow:"))!;
  };

  test("encode", async () => {
    expect(await refused(...words("whole.h5"))).toBe(
      "soflow: encode: --out /whole.h5 is there already; choose another, or remove it",
    );
    expect(await refused(...words("n.h5", "--part", "1/30"))).toBe(
      "soflow: encode: part 1/30 of 24 images is empty; take fewer parts",
    );
    expect(await refused("encode", "--merge", at("whole.h5"), OFFICIAL, "--out", at("n.h5"))).toMatch(
      /official.hdf5 does not belong to \/whole.h5: side is 2, not 4$/,
    );
    await killAt("other.h5", 2);
    expect(await refused(...words("other.h5"))).toBe(
      "soflow: /other.h5.rows holds rows of other work: flip was true and is false; remove it, or choose another --out",
    );
    expect(existsSync(at("n.h5"))).toBe(false);
  });

  const rows = async function* (count: number) {
    yield { first: 0, rows: new Float32Array(count * 8) };
  };
  const open = (path: string, size = 1) => openDataset({ kind: "latents", path, size, channels: 4 });

  test("files of latents", async () => {
    await writeFile(at("text.h5"), "no HDF5 at all");
    await expect(open(at("text.h5"))).rejects.toThrow(/text.h5 cannot be read as HDF5: /);
    await expect(open(at("none.h5"))).rejects.toThrow(/there is no .*none.h5; give a file of latents, or its folder/);
    await expect(open(at("vae"))).rejects.toThrow(
      /holds 0 files of latents \(.h5, .hdf5\); it must hold one, or imagenet_/,
    );
    await expect(open(OFFICIAL, 3)).rejects.toThrow(/holds latents of 4×2×2; data.channels is 4 and data.size 3$/);
    await expect(openDataset({ kind: "latents", path: OFFICIAL, size: 2, channels: 4, classes: 2 })).rejects.toThrow(
      /^data.classes is 2; .*official.hdf5 has 3 labels$/,
    );
    await copyFile(OFFICIAL, at("cut.h5"));
    await truncate(at("cut.h5"), 2500);
    await expect(open(at("cut.h5"), 2)).rejects.toThrow(/cut.h5 cannot be read as HDF5/);
    const header = { amount: 2, channels: 8, side: 1, labels: BigInt64Array.of(0n, 1n, 2n), attributes: {} };
    await writeLatents(at("uneven.h5"), header, rows(2));
    await expect(open(at("uneven.h5"))).rejects.toThrow(/latents has 2 rows, labels 3; the file is not whole/);
    await writeLatents(at("negative.h5"), { ...header, labels: BigInt64Array.of(0n, -1n) }, rows(2));
    await expect(open(at("negative.h5"))).rejects.toThrow(/labels has negative numbers/);
  });
});
