import { chmodSync, chownSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { measureRun } from "../src/compare/evaluate.js";
import { openSource } from "../src/train/source.js";
import { start } from "./cli.js";
import { fault } from "./faults.js";
import { contents, refused, train } from "./training.js";

vi.mock("node:fs/promises", async (original) => (await import("./faults.js")).faulty(await original()));

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-unreadable-"));
  await train(at("run"), ["train.steps=8"]);
});
afterEach(() => {
  fault.path = undefined;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PARTS = ["config.yaml", "metrics.jsonl", "checkpoints"] as const;

test.each(
  PARTS.flatMap((part) =>
    (
      [
        ["EACCES", "permission is denied; give this user the right to it"],
        ["EIO", "the disk reports an input/output error; check the disk, or its connection"],
        ["EMFILE", "this process has too many files open; raise the limit (ulimit -n)"],
      ] as const
    ).map(([code, reason]) => [part, code, reason] as const),
  ),
)("%s that is there and fails with %s is not taken for absent, whatever is asked for", async (part, code, reason) => {
  const before = contents(at("run"));
  Object.assign(fault, { path: new RegExp(`run/${part}$`), code });
  const text = `${at("run", part)} cannot be read: ${reason}, then try again`;
  expect(await refused(at("run"), ["train.steps=12"])).toBe(text);
  expect(await refused(at("run"), ["seed=4"])).toBe(text);
  expect(await refused(at("run"), ["train.steps=12"], { resumeFrom: at("run", "checkpoints", "latest") })).toBe(text);
  fault.path = undefined;
  expect(contents(at("run"))).toEqual(before);
});

const LOOP = "its symbolic links go in a circle; correct the links";
const FOLDER = "it is a folder where a file is expected; move it away";

test.each([
  ["config.yaml", "a folder", FOLDER],
  ["config.yaml", "a link to itself", LOOP],
  ["metrics.jsonl", "a folder", FOLDER],
  ["metrics.jsonl", "a link to itself", LOOP],
  ["checkpoints", "a file", "a file is where a folder is expected; move it away"],
  ["checkpoints", "a link to itself", LOOP],
])("%s replaced by %s refuses, and nothing is written", async (part, by, reason) => {
  const run = at(`${part}-${by.replaceAll(" ", "-")}`);
  await cp(at("run"), run, { recursive: true });
  rmSync(join(run, part), { recursive: true });
  if (by === "a folder") await mkdir(join(run, part));
  else if (by === "a file") await writeFile(join(run, part), "");
  else symlinkSync(part, join(run, part));
  const before = contents(run);
  expect(await refused(run, ["train.steps=12"])).toBe(`${join(run, part)} cannot be read: ${reason}, then try again`);
  expect(contents(run)).toEqual(before);
});

test("a checkpoint that cannot be read is not called corrupt, and none before it is offered", async () => {
  for (const ending of ["json", "safetensors"]) {
    Object.assign(fault, { path: new RegExp(`step-00000008.${ending}$`), code: "EIO" });
    const path = at("run", "checkpoints", `step-00000008.${ending}`);
    const text = `${path} cannot be read: the disk reports an input/output error; check the disk, or its connection, then try again`;
    expect(await refused(at("run"), ["train.steps=12"])).toBe(text);
    await expect(openSource(join(at("run"), "checkpoints", "latest"), "ema", "sample")).rejects.toThrow(text);
  }
});

test("what a comparison measured and cannot be read is not measured again over it", async () => {
  await mkdir(at("run", "measured.json"));
  const config = { out: at("run"), objective: { kind: "soflow" } } as unknown as Parameters<typeof measureRun>[0];
  const work = { yardstick: { identity: "x" }, settings: {} } as unknown as Parameters<typeof measureRun>[1];
  await expect(measureRun(config, work)).rejects.toThrow(`measured.json cannot be read: ${FOLDER}`);
  await rm(at("run", "measured.json"), { recursive: true });
});

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)("files of another user refuse with exit code 2 (needs root, to be another user)", async () => {
  await cp(at("run"), at("shared", "run"), { recursive: true });
  for (const name of readdirSync(at("shared"), { recursive: true, encoding: "utf8" }))
    chownSync(at("shared", name), NOBODY, NOBODY);
  for (const path of [folder, at("shared")]) chmodSync(path, 0o755);
  for (const part of PARTS) {
    const path = at("shared", "run", part);
    chownSync(path, 0, 0);
    chmodSync(path, 0o700);
    const metrics = await readFile(at("shared", "run", "metrics.jsonl"));
    const words = ["train", "--config", "quickstart", "--out", at("shared", "run")];
    const { code, err } = await start(words, { uid: NOBODY, gid: NOBODY, cwd: folder }).ended;
    expect(err).toBe(
      `soflow: ${path} cannot be read: permission is denied; give this user the right to it, then try again\n`,
    );
    expect(code).toBe(2);
    expect((await readFile(at("shared", "run", "metrics.jsonl"))).equals(metrics)).toBe(true);
    chownSync(path, NOBODY, NOBODY);
    chmodSync(path, 0o755);
  }
});
