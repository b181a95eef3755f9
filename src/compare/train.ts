import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LIMITS } from "../checks/limits.js";
import { UserError } from "../errors.js";
import { count } from "../fields.js";
import { isPresent } from "../files/index.js";
import { type Config, parseConfig } from "../train/config/index.js";
import { writeFileAtomically } from "../train/files.js";
import { modelPaths } from "../train/model.js";
import { readJson } from "../train/readJson.js";
import { runPaths } from "../train/runFolder.js";
import { learningOf } from "../train/sameRun.js";
import { type Listeners, timeApart, trainApart } from "./process.js";
import { type CompareConfig, trainingConfig } from "./schema.js";

/** What is kept beside a run for its comparison: the steps that were decided, and the memory that was seen. */
type Record = { readonly steps: number; readonly peakMemory: number };
const recordSchema = z.object({ steps: count(1, LIMITS.trainSteps), peakMemory: z.number().min(0) });

const recordPath = (folder: string): string => join(folder, "comparison.json");

const readRecord = (folder: string): Promise<Record | undefined> =>
  readJson(recordSchema, recordPath(folder), `; delete it to have ${folder} timed again`);

const writeRecord = (folder: string, record: Record): Promise<void> =>
  writeFileAtomically(recordPath(folder), `${JSON.stringify(record)}\n`);

/** The steps of a method: those of the budget, or what its seconds allow at today's speed; undefined when stopped. */
const decideSteps = async (
  config: CompareConfig,
  name: string,
  seed: number,
  listeners: Listeners,
): Promise<number | undefined> => {
  const { steps, seconds } = config.budget;
  if (steps !== undefined) return steps;
  const trial = trainingConfig(config, name, seed, 1_000_000);
  const secondsPerStep = await timeApart(trial, listeners);
  if (secondsPerStep === undefined) return undefined;
  const allowed = Math.max(1, Math.floor(seconds! / secondsPerStep));
  listeners.onNote?.(`${name}: ${secondsPerStep.toPrecision(3)} s a step, ${allowed} steps in ${seconds} s`);
  return allowed;
};

/** Everything that decides what a run's weights are. */
const identity = async (config: Config): Promise<string> => {
  const { steps, batch } = config.train;
  return JSON.stringify({ ...(await learningOf(config)), steps, batch });
};

/** Whether the run is finished. Throws when it was made from another configuration. */
const isFinished = async (config: Config): Promise<boolean> => {
  const paths = runPaths(config.out);
  if (!isPresent(modelPaths(paths.model).config)) return false;
  const before = parseConfig(await readFile(paths.config, "utf8"), paths.config);
  if ((await identity(before)) === (await identity(config))) return true;
  throw new UserError(
    `${config.out} was trained with another configuration than this comparison's; delete that folder to train it again, or choose another --out`,
  );
};

/** A finished run of one method from one seed. */
export type Trained = { readonly config: Config; readonly peakMemory: number };

/** Trains one method from one seed, goes on with it, or finds it finished. Undefined when it was stopped. */
export const trainMethod = async (
  config: CompareConfig,
  name: string,
  seed: number,
  listeners: Listeners,
): Promise<Trained | undefined> => {
  const folder = trainingConfig(config, name, seed, 1_000_000).out;
  const record = await readRecord(folder);
  const known = config.budget.steps === undefined ? record?.steps : undefined;
  const steps = known ?? (await decideSteps(config, name, seed, listeners));
  if (steps === undefined) return undefined;
  const own = trainingConfig(config, name, seed, steps);
  if (await isFinished(own)) return { config: own, peakMemory: record?.peakMemory ?? 0 };
  await mkdir(folder, { recursive: true });
  await writeRecord(folder, { steps, peakMemory: record?.peakMemory ?? 0 });
  const { finished, peakMemory } = await trainApart(own, listeners);
  const largest = Math.max(peakMemory, record?.peakMemory ?? 0); // a run may have been stopped and gone on
  await writeRecord(folder, { steps, peakMemory: largest });
  return finished ? { config: own, peakMemory: largest } : undefined;
};
