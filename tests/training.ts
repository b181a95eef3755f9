import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../src/train/config/index.js";
import { type RunOptions, type RunResult, runTraining } from "../src/train/run.js";

/** A run of a second: drawn digits, a network of one block. */
const CONFIG = `
seed: 3
data: { kind: glyphs, size: 8, samples: 200 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
objective: { kind: flow-matching }
optimizer: { learningRate: 1.0e-3 }
train: { steps: 12, batch: 4, logEvery: 1, sampleEvery: 6, checkpointEvery: 4, sampleCount: 4, threads: 1 }
`;

export type Trained = { readonly result: RunResult; readonly notes: readonly string[] };

/** Trains in a folder; overrides are `section.field=value`. */
export const train = async (
  out: string,
  overrides: readonly string[] = [],
  options: Partial<RunOptions> = {},
): Promise<Trained> => {
  const notes: string[] = [];
  const config = { ...parseConfig(CONFIG, "run.yaml", overrides), out };
  const result = await runTraining({ config, onNote: (text) => notes.push(text), ...options });
  return { result, notes };
};

/** The message of a training that must fail. */
export const refused = async (...run: Parameters<typeof train>): Promise<string> =>
  train(...run).then(
    () => {
      throw new Error("it trained");
    },
    (thrown: Error) => {
      if (!/Error|Diverged|NotFinite|Unreadable/.test(thrown.name) || thrown.name === "TypeError") throw thrown;
      return thrown.message;
    },
  );

/** Every file below a folder with its checksum, but for the lock. */
export const contents = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => !name.includes(".lock"))
      .sort()
      .map((name) => join(folder, name))
      .filter((path) => lstatSync(path).isFile())
      .map((path) => [path.slice(folder.length), createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );

/** Steps that a run's metrics hold. */
export const loggedSteps = (folder: string): number[] =>
  readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { step: number }).step);
