import { existsSync, renameSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Runs } from "../src/serve/runs.js";
import { type Ended, start } from "./cli.js";
import { contents } from "./training.js";

/** Runs whose folder was moved or renamed, through the command line as a user would. */

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
const here = (...words: string[]): Promise<Ended> => start(words, { cwd: folder }).ended;
const stepsOf = async (run: string): Promise<number[]> =>
  (await readFile(at(run, "metrics.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { step: number }).step);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

const CONFIG = `
data: { kind: folder, path: photos, size: 8 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
objective: { kind: flow-matching }
train: { steps: 4, batch: 4, logEvery: 1, checkpointEvery: 2, sampleCount: 4, threads: 1 }
`;

const expectTrained = async (ended: Promise<Ended>): Promise<string> => {
  const { code, err, out } = await ended;
  expect(err).not.toContain("soflow:");
  expect(code).toBe(0);
  return err + out;
};

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "soflow-moved-")));
  await mkdir(at("photos"));
  for (let i = 0; i < 12; i++)
    await sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 20 * i, g: 9, b: 90 } } })
      .png()
      .toFile(at("photos", `${i}.png`));
  await writeFile(at("my.yaml"), CONFIG);
  await expectTrained(here("train", "--config", "my.yaml", "--out", "runs/first"));
  await expectTrained(here("train", "--config", "my.yaml", "--out", "runs/whole", "--set", "train.steps=10"));
  renameSync(at("runs", "first"), at("runs", "moved"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the configuration in a moved run folder means that folder, from any working directory", async () => {
  await mkdir(at("elsewhere"));
  const words = ["train", "--config", "../runs/moved/config.yaml", "--set", "train.steps=6"];
  const text = await expectTrained(start(words, { cwd: at("elsewhere") }).ended);
  expect(text).toContain("going on from step 4");
  expect(text).toContain("checkpoints in ../runs/moved, ");
  expect(existsSync(at("runs", "first"))).toBe(false);
  expect(existsSync(at("elsewhere", "runs"))).toBe(false);
  expect(await stepsOf("runs/moved")).toEqual(upTo(6));
});

test("soflow train RUN resumes it, to the bytes of a run that was never moved", async () => {
  await expectTrained(here("train", "runs/moved/", "--set", "train.steps=10"));
  expect(await stepsOf("runs/moved")).toEqual(upTo(10));
  const [moved, whole] = [contents(at("runs/moved")), contents(at("runs/whole"))];
  for (const file of ["/checkpoints/step-00000010.safetensors", "/model/model.safetensors"])
    expect(moved[file], file).toBe(whole[file]!);
});

test("with --out another folder resumes from it, the same command resumes that one, and the first is unchanged", async () => {
  const before = contents(at("runs/moved"));
  const words = ["train", "runs/moved", "--out", "runs/second", "--set"];
  expect(await expectTrained(here(...words, "train.steps=12"))).toContain("going on from step 10");
  expect(await expectTrained(here(...words, "train.steps=13"))).toContain("going on from step 12");
  expect(await stepsOf("runs/second")).toEqual([11, 12, 13]);
  const anew = ["train", "--config", "runs/moved/config.yaml", "--out", "runs/third", "--set", "train.steps=2"];
  expect(await expectTrained(here(...anew))).not.toContain("going on");
  expect(await stepsOf("runs/third")).toEqual([1, 2]);
  expect(contents(at("runs/moved"))).toEqual(before);
});

test("a moved run is sampled, evaluated and listed where it is", async () => {
  await expectTrained(here("sample", "runs/moved", "--count", "4", "--out", "sheet.png"));
  await expectTrained(here("sample", "runs/moved/checkpoints/latest", "--weights", "model", "--out", "last.png"));
  await writeFile(
    at("digits.yaml"),
    CONFIG.replace(/data: .*/, "data: { kind: glyphs, size: 8, channels: 3, samples: 60 }"),
  );
  await expectTrained(here("features", "train", "digits.yaml", "--steps", "2", "--out", "features"));
  const references = ["--reference", "digits.yaml", "--features", "features", "-n", "40"];
  await expectTrained(here("evaluate", "runs/moved", ...references, "--out", "evaluation"));
  const listed = await new Runs(at("runs")).list();
  expect(listed.find(({ name }) => name === "moved")).toMatchObject({ step: 10, method: "flow-matching" });
});

test.each([
  [["runs/none"], /^soflow: train: there is no run folder runs\/none; to begin a run give --config FILE$/],
  [
    ["quickstart"],
    /there is no run folder quickstart; to begin a run give --config FILE; the preset is --config quick/,
  ],
  [
    ["my.yaml"],
    /train: my\.yaml is not a run folder: it has no config\.yaml .*; a configuration is given with --config/,
  ],
  [
    ["photos"],
    /^soflow: train: photos is not a run folder: it has no config\.yaml beside checkpoints or network\.json$/,
  ],
  [
    ["runs/moved", "--config", "my.yaml"],
    /train: both a run folder and --config are given; keep one of the two; see soflow train --help$/,
  ],
])("train %o says what a run folder is, and writes nothing", async (words, line) => {
  const before = contents(folder);
  const { code, err } = await here("train", ...words);
  expect(err.trimEnd()).toMatch(line);
  expect(code).toBe(2);
  expect(contents(folder)).toEqual(before);
});
