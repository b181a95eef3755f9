import { watch } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../src/train/config/index.js";
import { runTraining } from "../src/train/run.js";
import { type Ended, soflow, start } from "./cli.js";

const STEPS = 12;
let folder: string;
let config: string;

/** A run small enough to repeat, with a checkpoint of about 1.5 MB after every second step. */
const CONFIG = `
seed: 3
data: { kind: glyphs, size: 8, samples: 500 }
model: { patch: 2, width: 64, depth: 1, heads: 2 }
objective: { kind: soflow, guidance: { scale: 2, mix: 0.5 } }
optimizer: { kind: adamw, learningRate: 1.0e-3 }
ema: { decay: 0.9 }
train: { steps: ${STEPS}, batch: 8, logEvery: 1, sampleEvery: 6, checkpointEvery: 2, sampleCount: 4, threads: 1 }
`;

const train = (name: string): string[] => ["train", "--config", config, "--out", join(folder, name)];

const lastCheckpoint = (name: string): string =>
  join(folder, name, "checkpoints", `step-${String(STEPS).padStart(8, "0")}.safetensors`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-resume-"));
  config = join(folder, "tiny.yaml");
  await writeFile(config, CONFIG);
  const { code, err } = await soflow(...train("whole"));
  expect(err).not.toContain("error");
  expect(code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts the run and kills it: when a checkpoint is being written, or when so many steps are in its metrics. */
const killed = async (name: string, when: "writing" | number): Promise<Ended> => {
  await mkdir(join(folder, name, "checkpoints"), { recursive: true });
  const run = start(train(name));
  const kill = (): void => void run.process.kill("SIGKILL");
  const target = when === "writing" ? join(folder, name, "checkpoints") : join(folder, name);
  const watcher = watch(target, async (_, file) => {
    if (when === "writing") return file?.endsWith(".tmp") ? kill() : undefined;
    const text = await readFile(join(target, "metrics.jsonl"), "utf8").catch(() => "");
    if (text.split("\n").length - 1 >= when) kill();
  });
  const ended = await run.ended;
  watcher.close();
  return ended;
};

const expectSameEnd = async (name: string): Promise<void> => {
  for (const path of ["model/model.safetensors", "model/config.json"])
    expect(await readFile(join(folder, name, path))).toEqual(await readFile(join(folder, "whole", path)));
  expect((await readFile(lastCheckpoint(name))).equals(await readFile(lastCheckpoint("whole")))).toBe(true);
};

test("a run killed three times, once while a checkpoint is written, ends with the same bytes", async () => {
  const moments = [1 + Math.floor(Math.random() * 3), "writing", 7 + Math.floor(Math.random() * 3)] as const;
  for (const when of moments) {
    const { code } = await killed("killed", when);
    expect(code, `killed at ${when}`).toBe(null);
  }
  const { code, err } = await soflow(...train("killed"));
  expect(code).toBe(0);
  expect(err).toContain("going on from step");
  await expectSameEnd("killed");
  const left = await readdir(join(folder, "killed", "checkpoints"));
  expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([]);
  const lines = (await readFile(join(folder, "killed", "metrics.jsonl"), "utf8")).trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual(
    Array.from({ length: STEPS }, (_, i) => i + 1),
  );
});

/** How many steps are in the metrics of a run. */
const stepsOf = async (name: string): Promise<number> => {
  const text = await readFile(join(folder, name, "metrics.jsonl"), "utf8").catch(() => "");
  return text.split("\n").length - 1;
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await sleep(5);
};

test.each([
  ["SIGINT", 130, "Ctrl-C"],
  ["SIGTERM", 143, "SIGTERM"],
] as const)("%s saves, says how to resume, and the run ends with the same bytes", async (signal, expected, name) => {
  const run = start(train(signal));
  await until(async () => (await stepsOf(signal)) > 2);
  run.process.kill(signal);
  const { code, err } = await run.ended;
  expect(code).toBe(expected);
  expect(err).toMatch(/stopped after step \d+; the same command/);
  expect(err.endsWith(`soflow: stopped by ${name}; the same command resumes\n`)).toBe(true);
  expect(await readdir(join(folder, signal))).not.toContain(".lock");
  expect((await soflow(...train(signal))).code).toBe(0);
  await expectSameEnd(signal);
});

test("a reader that closes stdout and stderr, as head does, ends no training", async () => {
  const run = start(train("unread"));
  run.process.stderr!.once("data", () => {
    run.process.stdout!.destroy();
    run.process.stderr!.destroy();
  });
  expect((await run.ended).code).toBe(0);
  await expectSameEnd("unread");
});

test("a second training in the same folder is refused while the first goes on", async () => {
  const run = start(train("twice"));
  await until(async () => (await stepsOf("twice")) > 0);
  run.process.kill("SIGSTOP"); // stopped, it still lives
  const second = await soflow(...train("twice"));
  run.process.kill("SIGCONT");
  expect(second.code).toBe(2);
  expect(second.err).toContain(`twice is in use by process ${run.process.pid}; wait for it, stop it, or choose`);
  expect((await run.ended).code).toBe(0);
  await expectSameEnd("twice");
});

test("two trainings in the same folder by one process: one is refused, the other is right", async () => {
  const own = parseConfig(await readFile(config, "utf8"), config, [`out=${join(folder, "both")}`]);
  const both = await Promise.allSettled([runTraining({ config: own }), runTraining({ config: own })]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = both.find((one) => one.status === "rejected")!;
  expect(String(refused.reason)).toContain("both is in use by this process; wait for it");
  await expectSameEnd("both");
});

test("a corrupt checkpoint is named and the one before it is offered; going on from it ends the same", async () => {
  const { code } = await killed("corrupt", 9);
  expect(code).toBe(null);
  const checkpoints = join(folder, "corrupt", "checkpoints");
  const [before, latest] = (await readdir(checkpoints))
    .filter((name) => name.endsWith(".safetensors"))
    .sort()
    .slice(-2) as [string, string];
  const file = await open(join(checkpoints, latest), "r+");
  await file.write(Uint8Array.of(0x55, 0xaa), 0, 2, 20_000);
  await file.close();
  const refused = await soflow(...train("corrupt"));
  expect(refused.code).toBe(2);
  expect(refused.err).toContain(`${latest} is corrupt: its checksum does not match; the one before it is step`);
  expect(refused.err).toContain(`--resume-from ${join(checkpoints, before)}`);
  expect((await soflow(...train("corrupt"), "--resume-from", join(checkpoints, before))).code).toBe(0);
  await expectSameEnd("corrupt");
});

test("a finished run says so again and changes nothing", async () => {
  const before = await readFile(lastCheckpoint("whole"));
  expect((await soflow(...train("whole"))).code).toBe(0);
  expect((await readFile(lastCheckpoint("whole"))).equals(before)).toBe(true);
});

test("a folder that was begun with another configuration is refused, its own train section may change", async () => {
  const other = await soflow(...train("whole"), "--set", "model.width=32");
  expect(other.code).toBe(2);
  expect(other.err).toContain(
    "whole was begun with another configuration: model differs from its config.yaml; choose another folder with --out",
  );
  const again = await soflow(...train("whole"), "--set", "train.logEvery=2");
  expect(again.code).toBe(0);
  expect(again.err).toContain("train differs from this run's config.yaml; the new values are used");
});
