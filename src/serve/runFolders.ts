import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { openInside, readText, realInside } from "./openFile.js";

/** How deep below the given folder runs are looked for: comparisons keep theirs one level down. */
const DEPTH = 3;
/** Most entries of a folder that are looked at, most folders, and most runs and pictures that are listed. */
const MOST = { entries: 10_000, folders: 5_000, runs: 1_000, samples: 1_000 } as const;

export const METRICS = "metrics.jsonl";

/** The entries of a real folder; of very many the first that come. */
async function* entriesOf(folder: string) {
  const opened = await opendir(folder).catch(() => undefined);
  if (opened === undefined) return;
  let seen = 0;
  for await (const entry of opened) {
    yield entry;
    if (++seen >= MOST.entries) return;
  }
}

/** What is in a folder: its metrics, or folders that may be runs. Links are neither. */
const lookInto = async (folder: string): Promise<{ isRun: boolean; folders: string[] }> => {
  const folders: string[] = [];
  for await (const entry of entriesOf(folder)) {
    if (entry.isFile() && entry.name === METRICS) return { isRun: true, folders: [] };
    if (entry.isDirectory() && !entry.name.startsWith(".")) folders.push(entry.name);
  }
  return { isRun: false, folders };
};

/** Names of the runs below a folder, sorted; a run's name is its path there. */
export const findRuns = async (root: string): Promise<string[]> => {
  const runs: string[] = [];
  const waiting = [{ name: "", depth: DEPTH }];
  for (let seen = 0; seen < waiting.length && seen < MOST.folders && runs.length < MOST.runs; seen++) {
    const { name, depth } = waiting[seen]!;
    const { isRun, folders } = await lookInto(join(root, name));
    if (isRun) runs.push(name);
    else if (depth > 0)
      for (const folder of folders.slice(0, MOST.folders))
        waiting.push({ name: name === "" ? folder : `${name}/${folder}`, depth: depth - 1 });
  }
  return runs.sort();
};

const isRunName = (name: string): boolean => {
  const parts = name === "" ? [] : name.split("/");
  return parts.length <= DEPTH && parts.every((part) => part !== "" && !/^\.|[\\\0]/.test(part));
};

/** Whether there is a run of this name: a real folder where `findRuns` looks, with metrics in it. */
export const isRun = async (root: string, name: string): Promise<boolean> => {
  if (!isRunName(name)) return false;
  const [base, folder] = [await realInside(root, ""), await realInside(root, name)];
  if (base === undefined || folder !== join(base, name)) return false; // by way of a link
  const metrics = await openInside(root, join(name, METRICS));
  await metrics?.handle.close();
  return metrics !== undefined;
};

/** The method of a run, from its description of the network. */
export const methodOf = async (root: string, name: string): Promise<string> => {
  const file = await openInside(root, join(name, "network.json"));
  const text = file ? await readText(file, 65_536) : "";
  return /"method":\s*\{\s*"kind":\s*"([a-z-]{1,40})"/.exec(text)?.[1] ?? "unknown";
};

/** Steps that have a picture of samples, in order; of very many the last. */
export const sampleSteps = async (root: string, name: string): Promise<number[]> => {
  const folder = await realInside(root, join(name, "samples"));
  if (folder === undefined) return [];
  const steps: number[] = [];
  for await (const entry of entriesOf(folder)) {
    const step = entry.isFile() ? /^step-(\d{8})\.png$/.exec(entry.name)?.[1] : undefined;
    if (step !== undefined) steps.push(Number(step));
  }
  return steps.sort((a, b) => a - b).slice(-MOST.samples);
};
