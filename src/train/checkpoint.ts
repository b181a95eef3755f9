import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { isTemporary, sha256Of, writeFileAtomically } from "./files.js";
import { openSafetensors, type StoredTensor, writeSafetensors } from "./safetensorsFile.js";

/** What a checkpoint says of itself, in the small file beside the tensors. */
export type CheckpointState = {
  readonly format: 1;
  /** Steps that are done. */
  readonly step: number;
  readonly seed: number;
  /** SHA-256 of the tensors' file, in hex. */
  readonly sha256: string;
};

const NAME = /^step-(\d{8})\.json$/;
const stemOf = (step: number): string => `step-${String(step).padStart(8, "0")}`;

/** Steps of the complete checkpoints in a folder, ascending. The small file is written last, so it vouches for the other. */
export const listCheckpoints = async (folder: string): Promise<number[]> => {
  const names = await readdir(folder).catch(() => []);
  const steps = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => a - b);
};

/** Paths of a checkpoint's two files. */
export const checkpointPaths = (folder: string, step: number) => ({
  tensors: join(folder, `${stemOf(step)}.safetensors`),
  state: join(folder, `${stemOf(step)}.json`),
});

/**
 * Writes a checkpoint and then removes later ones (of a continuation that was given up) and all but the last `keep`. At every moment the folder holds the checkpoints it
 * held before, whole: a kill or a full disk costs only the new one.
 */
export const saveCheckpoint = async (
  folder: string,
  { step, seed, tensors, keep }: { step: number; seed: number; tensors: readonly StoredTensor[]; keep: number },
): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const paths = checkpointPaths(folder, step);
  const hash = createHash("sha256");
  await writeSafetensors(
    paths.tensors,
    tensors,
    { format: "pt", step: String(step) },
    (bytes) => void hash.update(bytes),
  );
  const state: CheckpointState = { format: 1, step, seed, sha256: hash.digest("hex") };
  await writeFileAtomically(paths.state, `${JSON.stringify(state, null, 2)}\n`);
  const all = await listCheckpoints(folder);
  const abandoned = all.filter((other) => other > step); // a run that went back with --resume-from has left them behind
  const surplus = all.filter((other) => other <= step).slice(0, -keep);
  for (const old of [...abandoned, ...surplus]) await removeCheckpoint(folder, old);
};

const removeCheckpoint = async (folder: string, step: number): Promise<void> => {
  const { tensors, state } = checkpointPaths(folder, step);
  await rm(state, { force: true });
  await rm(tensors, { force: true });
};

/** Removes what a killed process left half-written. */
const removeLeftovers = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) if (isTemporary(name)) await rm(join(folder, name), { force: true });
};

const problemOf = async (folder: string, step: number): Promise<string | undefined> => {
  const paths = checkpointPaths(folder, step);
  try {
    const { sha256 } = JSON.parse(await readFile(paths.state, "utf8")) as CheckpointState;
    const file = await openSafetensors(paths.tensors); // says plainly what is wrong with a truncated file
    await file.close();
    return (await sha256Of(paths.tensors)) === sha256 ? undefined : "its checksum does not match";
  } catch (thrown) {
    return messageOf(thrown);
  }
};

/**
 * Reads a whole checkpoint after checking it against its checksum. Throws a `UserError` that names a corrupt one and
 * offers the one before it.
 */
export const loadCheckpoint = async (folder: string, step: number) => {
  const problem = await problemOf(folder, step);
  if (problem !== undefined) throw new UserError(await corrupt(folder, step, problem));
  const paths = checkpointPaths(folder, step);
  const state = JSON.parse(await readFile(paths.state, "utf8")) as CheckpointState;
  return { state, file: await openSafetensors(paths.tensors) };
};

const corrupt = async (folder: string, step: number, problem: string): Promise<string> => {
  const before = (await listCheckpoints(folder)).filter((other) => other < step).at(-1);
  const offer =
    before === undefined
      ? "there is none before it; begin anew in another folder"
      : `the one before it is step ${before}: go on from it with --resume-from ${checkpointPaths(folder, before).tensors}`;
  return `checkpoint ${checkpointPaths(folder, step).tensors} is corrupt: ${problem}; ${offer}`;
};

/** Folder and step of a checkpoint named by either of its files, or by `latest` in its folder. */
export const findCheckpoint = async (path: string): Promise<{ folder: string; step: number }> => {
  const folder = dirname(path);
  const steps = await listCheckpoints(folder);
  const step = basename(path) === "latest" ? steps.at(-1) : steps.find((s) => basename(path).startsWith(stemOf(s)));
  if (step === undefined)
    throw new UserError(
      `there is no checkpoint ${path}; ${folder} has ${steps.length === 0 ? "none" : `steps ${steps.join(", ")}`}`,
    );
  return { folder, step };
};
