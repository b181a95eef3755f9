import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, soflow, start } from "./cli.js";

const CONFIG = `
data: { kind: glyphs, size: 8, samples: 600 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
train: { steps: 1, batch: 8, checkpointEvery: 1, sampleEvery: 1, sampleCount: 4, threads: 1 }
`;

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-signals-"));
  await writeFile(at("tiny.yaml"), CONFIG);
  expect((await soflow("train", "--config", at("tiny.yaml"), "--out", at("run"))).code).toBe(0);
  const training = ["--steps", "2", "--batch", "8", "--size", "8", "--name", "tiny", "--threads", "1"];
  const features = await soflow("features", "train", at("tiny.yaml"), ...training, "--out", at("features"));
  expect(features.code, features.err).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts a command and sends it a signal when something is there. */
const stopped = async (words: readonly string[], signal: NodeJS.Signals, isDue: () => boolean): Promise<Ended> => {
  const run = start(words);
  while (!isDue()) await sleep(2);
  run.process.kill(signal);
  return run.ended;
};

const evaluation = (out: string): string[] => {
  const reference = ["--reference", at("tiny.yaml"), "--features", at("features"), "--cache", at("cache")];
  return ["evaluate", at("run"), ...reference, "-n", "4000", "--pairs", "200", "--threads", "1", "--out", at(out)];
};

test("evaluate: SIGTERM keeps the block in progress, and the resumed results have the same bytes", async () => {
  expect((await soflow(...evaluation("whole"))).code).toBe(0);
  const first = at("stopped", "features", "000000.npz");
  const { code, err } = await stopped(evaluation("stopped"), "SIGTERM", () => existsSync(first));
  expect(
    err.endsWith("soflow: stopped by SIGTERM; the same command resumes after the images whose features are there\n"),
  ).toBe(true);
  expect(code).toBe(143);
  const blocks = (await readdir(at("stopped", "features"))).filter((name) => name.endsWith(".npz"));
  expect(blocks.length).toBeLessThan(8);
  expect(existsSync(at("stopped", ".lock"))).toBe(false);
  expect((await soflow(...evaluation("stopped"))).code).toBe(0);
  for (const name of ["results.json", "index.html", "statistics.npz"])
    expect(await readFile(at("stopped", name)), name).toEqual(await readFile(at("whole", name)));
});

test("features train: SIGTERM ends it, nothing is written, and the folder is free", async () => {
  const words = ["features", "train", at("tiny.yaml"), "--steps", "100000", "--batch", "8", "--size", "8"];
  const { code, err } = await stopped([...words, "--out", at("none")], "SIGTERM", () =>
    existsSync(at("none", ".lock")),
  );
  expect(err.endsWith("soflow: stopped by SIGTERM; nothing was written; the same command begins anew\n")).toBe(true);
  expect(code).toBe(143);
  expect(existsSync(at("none"))).toBe(false);
});
