import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkpointPaths,
  findCheckpoint,
  lastSaneCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  NotFinite,
  saveCheckpoint,
} from "./checkpoint.js";
import { writeAtomically } from "./files.js";
import { Metrics } from "./metrics.js";
import { openSafetensors, type StoredTensor } from "./safetensorsFile.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const tensors = (value: number, read = async () => new Float32Array(6).fill(value)): StoredTensor[] => [
  { name: "parameter.a", shape: [2, 3], read },
  { name: "ema.a", shape: [2, 3], read: async () => new Float32Array(6).fill(-value) },
];
const save = (step: number, keep = 3, stored = tensors(step)) =>
  saveCheckpoint(folder, { step, seed: 1, tensors: stored, keep });

test("a write that fails leaves the old file as it was and nothing else", async () => {
  const path = join(folder, "a.txt");
  await writeFile(path, "old");
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  const write = writeAtomically(path, async (put) => {
    await put("new, but only half");
    throw full;
  });
  await expect(write).rejects.toThrow(
    "a.txt could not be written: the disk is full; what was there before is unchanged",
  );
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder)).toEqual(["a.txt"]);
});

test("a checkpoint comes back bit for bit; the last k are kept", async () => {
  for (const step of [2, 4, 6, 8]) await save(step, 2);
  expect(await listCheckpoints(folder)).toEqual([6, 8]);
  const { state, file } = await loadCheckpoint(folder, 8);
  expect(state).toMatchObject({ format: 1, step: 8, seed: 1 });
  expect(await file.read("parameter.a")).toEqual(new Float32Array(6).fill(8));
  expect(await file.read("ema.a")).toEqual(new Float32Array(6).fill(-8));
  await expect(file.read("b")).rejects.toThrow("has no tensor b");
  await file.close();
});

test("a checkpoint that fails half-way costs none of the others", async () => {
  await save(2);
  const broken = tensors(4, async () => {
    throw Object.assign(new Error("write"), { code: "ENOSPC" });
  });
  await expect(save(4, 1, broken)).rejects.toThrow("the disk is full");
  expect(await listCheckpoints(folder)).toEqual([2]);
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a state that holds %f is not saved", async (bad) => {
  await save(2);
  const damaged = tensors(4, async () => Float32Array.of(1, 2, bad, 4, 5, 6));
  await expect(save(4, 1, damaged)).rejects.toThrow(new NotFinite(`parameter.a holds ${bad}`));
  expect(await readdir(folder)).toEqual(["step-00000002.json", "step-00000002.safetensors"]);
});

test("the last checkpoint with a sane loss stays while all later ones had a wild one, and goes after that", async () => {
  const notes: string[] = [];
  const saveWith = (step: number, loss: number) =>
    saveCheckpoint(
      folder,
      { step, seed: 1, tensors: tensors(step), keep: 2, health: { losses: [loss], lowest: 1 } },
      (text) => notes.push(text),
    );
  for (const step of [2, 4, 6]) await saveWith(step, 2);
  expect(await listCheckpoints(folder)).toEqual([4, 6]);
  for (const step of [8, 10, 12]) await saveWith(step, 11);
  expect(await listCheckpoints(folder)).toEqual([6, 10, 12]);
  expect(await lastSaneCheckpoint(folder)).toMatchObject({ step: 6, later: [10, 12] });
  expect(notes).toEqual(Array(2).fill("the checkpoint of step 6 is kept: it is the last one with a sane loss"));
  await saveWith(14, 3);
  expect(await listCheckpoints(folder)).toEqual([12, 14]);
});

test.each(["{", "[]", "null", '{"format":2}', '{"format":1,"step":"2"}'])(
  "a checkpoint whose small file is %s is called corrupt, and the one before it offered",
  async (text) => {
    for (const step of [2, 4]) await save(step);
    await writeFile(checkpointPaths(folder, 4).state, text);
    await expect(loadCheckpoint(folder, 4)).rejects.toThrow(
      "is corrupt: step-00000004.json does not say what a checkpoint's must; the one before it is step 2",
    );
  },
);

test("going back to an earlier step and saving again drops what came after it", async () => {
  for (const step of [2, 4, 6]) await save(step);
  await save(3);
  expect(await listCheckpoints(folder)).toEqual([2, 3]);
});

test.each([
  ["truncated", (path: string) => truncate(path, 150), /is corrupt: .*is truncated/],
  [
    "changed",
    async (path: string) =>
      writeFile(
        path,
        (await readFile(path)).map((byte, i, all) => (i === all.length - 3 ? byte ^ 1 : byte)),
      ),
    /is corrupt: its checksum does not match/,
  ],
  ["missing", (path: string) => rm(path), /is corrupt: there is no file/],
])("a checkpoint whose file is %s is named, and the one before it offered", async (_, damage, message) => {
  for (const step of [2, 4]) await save(step);
  await damage(checkpointPaths(folder, 4).tensors);
  await expect(loadCheckpoint(folder, 4)).rejects.toThrow(message);
  await expect(loadCheckpoint(folder, 4)).rejects.toThrow(
    `the one before it is step 2: go on from it with --resume-from ${checkpointPaths(folder, 2).tensors}`,
  );
});

test("checkpoints are found by either file, by their stem, or as latest", async () => {
  for (const step of [2, 4]) await save(step);
  for (const name of ["step-00000002", "step-00000002.json", "step-00000002.safetensors"])
    expect(await findCheckpoint(join(folder, name))).toEqual({ folder, step: 2 });
  expect(await findCheckpoint(join(folder, "latest"))).toEqual({ folder, step: 4 });
  await expect(findCheckpoint(join(folder, "step-00000003"))).rejects.toThrow("has steps 2, 4");
});

test("a safetensors file that is none is refused by name", async () => {
  await writeFile(join(folder, "x.safetensors"), "hello");
  await expect(openSafetensors(join(folder, "x.safetensors"))).rejects.toThrow(
    "x.safetensors is not a safetensors file: it has only 5 bytes",
  );
  await expect(openSafetensors(join(folder, "y.safetensors"))).rejects.toThrow("there is no file");
});

test("metrics of steps beyond the checkpoint, and a torn last line, are dropped on resume", async () => {
  const path = join(folder, "metrics.jsonl");
  const first = await Metrics.open(folder, 0);
  for (const step of [1, 2, 3]) await first.scalars(step, { loss: step / 2 });
  await writeFile(path, `${await readFile(path, "utf8")}{"step": 4, "lo`);
  const second = await Metrics.open(folder, 2);
  await second.scalars(3, { loss: 9 });
  const lines = (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines).toEqual([
    { step: 1, loss: 0.5 },
    { step: 2, loss: 1 },
    { step: 3, loss: 9 },
  ]);
});
