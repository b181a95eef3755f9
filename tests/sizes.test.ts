import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Runtime } from "../src/runtime/index.js";
import { modelImages } from "../src/train/evaluate/modelImages.js";
import { SoFlow } from "../src/train/pretrained.js";
import { drawSamples } from "../src/train/sample.js";
import { soflow } from "./cli.js";
import { writeTinyModel } from "./serve/model.js";

/** Sizes that cannot be end with exit code 2 and one clear line, before anything is built, drawn or written. */

let folder: string;
let model: string;
const at = (...parts: string[]): string => join(folder, ...parts);
const CONFIG = `data: { kind: glyphs, size: 8, samples: 100 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
train: { steps: 1, batch: 4, sampleCount: 4, threads: 1 }
`;

/** The model with something changed in its config.json. */
const modelWith = async (name: string, change: (config: Record<string, object>) => void): Promise<string> => {
  await cp(model, at(name), { recursive: true });
  const config = JSON.parse(await readFile(at(name, "config.json"), "utf8")) as Record<string, object>;
  change(config);
  await writeFile(at(name, "config.json"), JSON.stringify(config));
  return at(name);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-limits-"));
  model = await writeTinyModel(folder, "model");
  await writeFile(at("config.yaml"), CONFIG);
  await modelWith("later", (config) => Object.assign(config, { version: 2 }));
  await modelWith("wide", (config) => Object.assign(config.network!, { width: 1e9 }));
  await modelWith("deep", (config) => Object.assign(config.network!, { depth: 1e6 }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const expectRefused = async (words: readonly string[], line: string): Promise<string> => {
  const before = await readdir(folder);
  const { code, err, out } = await soflow(...words);
  expect(err.trimEnd().split("\n")[0]).toContain(line);
  expect([code, out]).toEqual([2, ""]);
  expect(await readdir(folder)).toEqual(before);
  return err;
};

test.each([
  [["--scale", "100000"], "argument '100000' is invalid. It must be at most 1024"],
  [
    ["--scale", "1000", "--count", "10000"],
    "--scale is 1000 and makes a picture of 800202×800202 pixels; 268435456 are possible: at most 20 fits",
  ],
  [["--steps", "1000000000"], "argument '1000000000' is invalid. It must be at most 100000"],
  [["--batch", "1000000000000000"], "argument '1000000000000000' is invalid. It must be at most 1000000"],
  [["--count", "1000000000000000"], "argument '1000000000000000' is invalid. It must be at most 10000000"],
  [["--count", "99999999999999999999999"], "is invalid. It must be at most 10000000"],
])("sample %j", async (options, line) => {
  await expectRefused(["sample", model, "--out", at("out.png"), ...options], line);
});

test.each([
  ["train.batch=1000000000000000", "train.batch is 1000000000000000; it must be at most 1000000"],
  ["train.steps=1e9", "train.steps is 1000000000; it must be at most 100000000"],
  ["model.width=1000000000", "model.width is 1000000000; it must be at most 16384"],
  ["model.depth=1000000", "model.depth is 1000000; it must be at most 512"],
  [
    "model={ kind: unet, width: 8, depth: 1, multipliers: [1000] }",
    "model.multipliers.0 is 1000; it must be at most 64",
  ],
  ["data.size=1000000", "data.size is 1000000; it must be at most 4096"],
  [
    "train={ steps: 1, batch: 900000 }\u0000data.size=64",
    "train.batch is 900000; its images of 1×64×64 take 14.7 GB; at most 262144 are possible",
  ],
])("train --set %s", async (set, line) => {
  const sets = set.split("\u0000").flatMap((one) => ["--set", one]);
  const err = await expectRefused(["train", "--config", at("config.yaml"), "--out", at("out"), ...sets], line);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});

const ENTRANCES: readonly (readonly [string, (source: string) => readonly string[]])[] = [
  ["sample", (source) => ["sample", source, "--out", at("out.png")]],
  ["export", (source) => ["export", source, "--out", at("out")]],
  ["serve", (source) => ["serve", source, "--port", "0"]],
];

test.each(ENTRANCES)("%s refuses a model of a later version, and networks beyond all limits", async (_, words) => {
  for (const [name, line] of [
    ["later", "config.json is of format version 2, and this soflow reads version 1; upgrade soflow to use this model"],
    ["wide", "config.json does not describe a model: network.width is 1000000000; it must be at most 16384"],
    ["deep", "config.json does not describe a model: network.depth is 1000000; it must be at most 512"],
  ] as const)
    await expectRefused(words(at(name)), line);
});

test("so do the library's entrances, and what evaluates a model", async () => {
  const line = "config.json does not describe a model: network.depth is 1000000; it must be at most 512";
  await expect(SoFlow.fromPretrained(at("deep"))).rejects.toThrow(line);
  await expect(drawSamples({ source: at("deep"), count: 1, seed: 0 })).rejects.toThrow(line);
  const runtime = {} as Runtime; // nothing of it is touched
  await expect(modelImages(runtime, at("deep"), { count: 1, seed: 0 })).rejects.toThrow(line);
});
