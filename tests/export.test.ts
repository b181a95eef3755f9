import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InferenceSession, Tensor as OrtTensor } from "#onnxruntime-node";
import { key } from "../src/random/random.js";
import { sampleNoise } from "../src/random/sampleNoise.js";
import { toHalf } from "../src/train/export/half.js";
import type { MeasuredManifest } from "../src/train/export/manifest.js";
import { PRECISIONS } from "../src/train/export/pack.js";
import { type ModelDescription, openNetwork, saveModel } from "../src/train/model.js";
import { SoFlow } from "../src/train/pretrained.js";
import { soflow } from "./cli.js";

/** Exported folders, run by the runtimes that people have: onnxruntime-node here, Python's in its example. */

const run = promisify(execFile);
const PYTHON = process.env.SOFLOW_PYTHON ?? "python3";
const python = await run(PYTHON, ["-c", "import onnxruntime, numpy"]).then(
  () => true,
  () => false,
);
const ONNXRUNTIME_NODE = fileURLToPath(new URL("../vendor/onnxruntime-node", import.meta.url));

const describeModel = (changes: Partial<ModelDescription>): ModelDescription => ({
  format: "soflow",
  version: 1,
  network: { imageSize: 8, channels: 3, patch: 2, width: 64, depth: 2, heads: 4, classes: 4, nullLabel: true },
  method: { kind: "soflow", path: "trig", parameterisation: "trig" },
  classes: ["a", "b", "c", "d"],
  ...changes,
});

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

/** A model whose every part has its effect. */
const writeModel = async (name: string, description: ModelDescription): Promise<void> => {
  const tensors = openNetwork(description.network).parameters.map(({ name: own, tensor: { shape } }) => {
    const scale = shape.length > 1 ? 1 / Math.sqrt(shape.slice(1).reduce((n, d) => n * d, 1)) : 0.1;
    const read = async () =>
      key(4)
        .fold(own)
        .normal(shape.reduce((n, d) => n * d, 1))
        .map((z) => scale * z);
    return { name: own, shape, read };
  });
  await saveModel(at(name), description, tensors, 1);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-export-"));
  await mkdir(at("node_modules"));
  await symlink(ONNXRUNTIME_NODE, at("node_modules", "onnxruntime-node"));
  await writeModel("model", describeModel({}));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const exported = async (out: string, ...more: string[]): Promise<MeasuredManifest> => {
  const { code, err } = await soflow("export", at("model"), "--out", at(out), "--threads", "1", ...more);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(await readFile(at(out, "manifest.json"), "utf8")) as MeasuredManifest;
};

const SIZE = 3 * 8 * 8;
/** The noise and labels that `generate` starts from. */
const feedsOf = (count: number, seed: number) => {
  const noise = new Float32Array(count * SIZE);
  for (let i = 0; i < count; i++) noise.set(sampleNoise(seed, i, 0, SIZE), i * SIZE);
  return {
    noise: new OrtTensor("float32", noise, [count, 3, 8, 8]),
    label: new OrtTensor(
      "int64",
      BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 4)),
      [count],
    ),
  };
};
const clamped = (values: Float32Array): number[] => Array.from(values, (x) => Math.min(1, Math.max(-1, x)));
const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("float32", () => {
  test("onnxruntime draws what soflow draws, in batches of any size", async () => {
    const manifest = await exported("float32");
    const model = await SoFlow.fromPretrained(at("model"), { threads: 1 });
    const session = await InferenceSession.create(at("float32", "model.onnx"));
    for (const count of [1, 2, 7]) {
      const { images } = await session.run(feedsOf(count, 3));
      const { images: wanted } = await model.generate({ count, seed: 3 });
      expect(images!.dims).toEqual([count, 3, 8, 8]);
      expect(largest(images!.data as Float32Array, clamped(wanted as Float32Array))).toBeLessThan(1e-4);
    }
    await model.close();
    expect(manifest.measured.distance).toBeLessThan(1e-5);
    expect(manifest.models["model.onnx"]).toEqual({
      inputs: { noise: { dtype: "float32", shape: ["N", 3, 8, 8] }, label: { dtype: "int64", shape: ["N"] } },
      outputs: { images: { dtype: "float32", shape: ["N", 3, 8, 8] } },
    });
  });

  test("the solution function steps as the sampler does: f(f(x, 1, ½), ½, 0)", async () => {
    const model = await SoFlow.fromPretrained(at("model"), { threads: 1 });
    const { images: wanted } = await model.generate({ count: 3, seed: 1, sampler: "solution", steps: 2 });
    await model.close();
    const session = await InferenceSession.create(at("float32", "solution.onnx"));
    const { noise, label } = feedsOf(3, 1);
    let x: OrtTensor = noise;
    for (const [t, s] of [
      [1, 0.5],
      [0.5, 0],
    ] as const) {
      const time = (value: number) => new OrtTensor("float32", new Float32Array(3).fill(value), [3]);
      x = (await session.run({ x, t: time(t), s: time(s), label })).x_s as OrtTensor;
    }
    expect(largest(x.data as Float32Array, wanted)).toBeLessThan(1e-4);
  });

  test("the files are as the manifest says, and use ONNX's own operations alone", async () => {
    const manifest = JSON.parse(await readFile(at("float32", "manifest.json"), "utf8")) as MeasuredManifest;
    const names = await readdir(at("float32"));
    expect(names.sort()).toEqual(
      [
        "README.md",
        "example.mjs",
        "example.py",
        "manifest.json",
        "model.onnx",
        "model.onnx_data",
        "solution.onnx",
      ].sort(),
    );
    for (const { name, bytes, sha256 } of manifest.files) {
      const content = await readFile(at("float32", name));
      expect([content.length, createHash("sha256").update(content).digest("hex")]).toEqual([bytes, sha256]);
      expect(content.includes("com.microsoft")).toBe(false);
    }
  });

  test("its example in JavaScript runs", async () => {
    const { stdout } = await run(process.execPath, [at("float32", "example.mjs")]);
    expect(stdout).toBe("[ 8, 3, 8, 8 ] float32\n");
  });

  test.skipIf(!python)(`its example in Python runs (needs ${PYTHON} with onnxruntime)`, async () => {
    const { stdout } = await run(PYTHON, [at("float32", "example.py")]);
    expect(stdout).toMatch(/^\(8, 3, 8, 8\) float32 -?[\d.]+ [\d.]+\n$/);
  });
});

test("each precision is smaller, and further away", async () => {
  const all: MeasuredManifest[] = [];
  for (const precision of PRECISIONS) all.push(await exported(`by-${precision}`, "--precision", precision));
  const [distances, sizes] = [all.map(({ measured }) => measured.distance), all.map(({ measured }) => measured.bytes)];
  expect(distances[0]).toBeLessThan(1e-5);
  for (const [i, most] of [1e-5, 5e-3, 5e-2, 0.5].entries()) expect(distances[i]).toBeLessThan(most);
  expect(sizes[1]).toBeLessThan(sizes[0]!);
  const session = await InferenceSession.create(at("by-float16", "model.onnx"));
  expect((await session.run(feedsOf(2, 0))).images!.dims).toEqual([2, 3, 8, 8]);
});

test("bytes come with channels last, truncated as the official code does", async () => {
  await exported("bytes", "--images", "uint8");
  const floats = (await (await InferenceSession.create(at("float32", "model.onnx"))).run(feedsOf(2, 9))).images!;
  const bytes = (await (await InferenceSession.create(at("bytes", "model.onnx"))).run(feedsOf(2, 9))).images!;
  expect([bytes.type, bytes.dims]).toEqual(["uint8", [2, 8, 8, 3]]);
  const values = floats.data as Float32Array;
  const wanted = Uint8Array.from({ length: 2 * SIZE }, (_, i) => {
    const [c, p, n] = [i % 3, Math.floor(i / 3) % 64, Math.floor(i / SIZE)];
    return Math.min(255, Math.max(0, Math.trunc(127.5 * values[(n * 3 + c) * 64 + p]! + 128)));
  });
  expect(largest(bytes.data as Uint8Array, wanted)).toBeLessThanOrEqual(1);
});

test("halves are the nearest: they come back from ONNX's own rule of widening", () => {
  const values = Float32Array.of(0, -0, 1, -2.5, 65504, 65520, 1e-8, 6e-8, 5.97e-8, 0.1, 1 / 3, 2049, 2051, Number.NaN);
  const bits = [0, 0x8000, 0x3c00, 0xc100, 0x7bff, 0x7c00, 0, 1, 1, 0x2e66, 0x3555, 0x6800, 0x6802, 0x7e00];
  expect([...toHalf(values)]).toEqual(bits);
});

test("what cannot be exported is refused in one line", async () => {
  await writeModel("flow", describeModel({ method: { kind: "flow-matching", path: "linear" } }));
  const refused = async (...words: string[]) => (await soflow("export", ...words)).err.replaceAll(folder, "");
  expect(await refused(at("flow"), "--out", at("never"))).toBe(
    "soflow: export: flow matching draws with 25 steps; models that draw with one are exported: SoFlow, MeanFlow and consistency models\n",
  );
  expect(await refused(at("model"), "--out", at("float32"))).toBe(
    "soflow: export: --out /float32 is there already and not an empty folder; choose another\n",
  );
  expect(await refused(at("model"))).toBe(
    "soflow: export: --out is missing; give the folder to make; see soflow export --help\n",
  );
  expect(await refused(at("nothing"), "--out", at("never"))).toMatch(
    /^soflow: export: there is no \/nothing; give a run folder/,
  );
  expect((await readdir(folder)).filter((name) => name.includes("never"))).toEqual([]);
});
