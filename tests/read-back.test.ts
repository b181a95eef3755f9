import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { measureRun } from "../src/compare/evaluate.js";
import { UserError } from "../src/errors.js";
import type { Runtime } from "../src/runtime/index.js";
import { Judge } from "../src/train/judge.js";
import { readDescription } from "../src/train/model.js";

/** Files that a later command reads back: what is not as it was written is one line that names the file. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-read-back-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const JUDGE = { imageSize: 8, channels: 1, patch: 4, width: 16, depth: 1, heads: 2, classes: 2 };
const NETWORK = { ...JUDGE, nullLabel: false };
const MODEL = { format: "soflow", version: 1, network: NETWORK, method: { kind: "edm" }, classes: ["a", "b"] };
const CELL = { evaluations: 1, sampler: "euler", steps: 1, usual: true, metrics: {}, sheet: "data:" };

const measured = () => {
  const config = { out: folder, objective: { kind: "soflow" } } as unknown as Parameters<typeof measureRun>[0];
  const work = { yardstick: { identity: "x" }, settings: {} } as unknown as Parameters<typeof measureRun>[1];
  return measureRun(config, work);
};
const judge = () => Judge.load({} as Runtime, folder);
const run = () => readDescription(join(folder, "network.json"));

test.each([
  ["measured.json", measured, "{ not", " is no JSON: "],
  ["measured.json", measured, { cells: [], curve: [] }, " is not as soflow wrote it: identity"],
  ["measured.json", measured, { identity: "x", cells: 3, curve: [] }, " is not as soflow wrote it: cells"],
  [
    "measured.json",
    measured,
    { identity: "x", cells: [{ ...CELL, steps: "1" }], curve: [] },
    " is not as soflow wrote it: cells.0.steps",
  ],
  ["judge.json", judge, "", " is no JSON: "],
  [
    "judge.json",
    judge,
    { ...JUDGE, width: 1e9 },
    " is not as soflow wrote it: width is 1000000000; it must be at most",
  ],
  ["judge.json", judge, { ...JUDGE, depth: 1e6 }, " is not as soflow wrote it: depth is 1000000; it must be at most"],
  ["judge.json", judge, { ...JUDGE, patch: 3 }, " is not as soflow wrote it: patch is 3; it must divide"],
  ["network.json", run, { ...MODEL, version: 2 }, " is of format version 2, and this soflow reads version 1"],
  [
    "network.json",
    run,
    { ...MODEL, network: { ...NETWORK, width: 1e9 } },
    " does not describe a model: network.width is 1000000000; it must be at most",
  ],
  ["network.json", run, { ...MODEL, network: null }, " does not describe a model: network"],
] as const)("%s, %#", async (name, read, content, line) => {
  const path = join(folder, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  const thrown: unknown = await read().then(String, (error: unknown) => error);
  expect(thrown).toBeInstanceOf(UserError);
  const { message } = thrown as UserError;
  expect(message).toContain(path + line);
  expect(message).not.toContain("\n");
  await rm(path);
});
