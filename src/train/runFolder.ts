import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.js";

/** The parts of a run folder. */
export const runPaths = (folder: string) => ({
  folder,
  /** The configuration with every default filled in. */
  config: join(folder, "config.yaml"),
  /** What the network is, as in a model folder's config.json. */
  network: join(folder, "network.json"),
  checkpoints: join(folder, "checkpoints"),
  samples: (step: number) => join(folder, "samples", `step-${String(step).padStart(8, "0")}.png`),
  model: join(folder, "model"),
  lock: join(folder, ".lock"),
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Whether a process that lives has claimed a run folder. */
export const isClaimed = async (folder: string): Promise<boolean> => {
  const holder = Number(await readFile(runPaths(folder).lock, "utf8").catch(() => "0"));
  return holder > 0 && isAlive(holder);
};

/**
 * Claims a run folder for this process, so that two trainers never write to one. A lock that a killed process left is
 * taken over. Returns what gives the folder back.
 */
export const lockFolder = async (folder: string): Promise<() => Promise<void>> => {
  const { lock } = runPaths(folder);
  await mkdir(folder, { recursive: true });
  const holder = Number(await readFile(lock, "utf8").catch(() => "0"));
  if (holder > 0 && holder !== process.pid && isAlive(holder))
    throw new UserError(
      `${folder} is in use by process ${holder}; wait for it, stop it, or choose another folder with --out`,
    );
  await rm(lock, { force: true });
  const file = await open(lock, "wx");
  await file.writeFile(String(process.pid));
  await file.close();
  return () => rm(lock, { force: true });
};
