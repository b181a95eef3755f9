import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, UserError } from "../errors.js";
import { isPresent, listIfPresent, Unreadable, unlessAbsent } from "../files/index.js";
import { makeFolder, removeLeftovers, sha256Of, writeFileAtomically } from "./files.js";
import { type Health, isSane } from "./health.js";
import { type OpenSafetensors, openSafetensors, type StoredTensor, writeSafetensors } from "./safetensorsFile.js";

const stateSchema = z.object({
  format: z.literal(1),
  /** Steps that are done. */
  step: z.number().int().min(0),
  seed: z.number().int().min(0),
  /** SHA-256 of the tensors' file, in hex. */
  sha256: z.string(),
  /** Samples that the dataset had; absent in checkpoints that were imported or written by earlier versions. */
  samples: z.number().int().optional(),
  /** How training went; absent likewise. All tensors of a checkpoint that has it are finite. */
  health: z.object({ losses: z.array(z.number()).readonly(), lowest: z.number().nullable() }).optional(),
});

/** What a checkpoint says of itself, in the small file beside the tensors. */
export type CheckpointState = Readonly<z.output<typeof stateSchema>>;

const NAME = /^step-(\d{8,})\.json$/;
/** Whether a file name is that of a part of a checkpoint. */
export const isCheckpointFile = (name: string): boolean => /^step-\d{8,}\.(json|safetensors)$/.test(name);

const stemOf = (step: number): string => `step-${String(step).padStart(8, "0")}`;

/**
 * Steps of the complete checkpoints in a folder, ascending. The small file is written last, so it vouches for the other.
 * Throws a `UserError` when the folder is there and cannot be read.
 */
export const listCheckpoints = async (folder: string): Promise<number[]> => {
  const names = (await listIfPresent(folder)) ?? [];
  const steps = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => a - b);
};

/** Paths of a checkpoint's two files. */
export const checkpointPaths = (folder: string, step: number) => ({
  tensors: join(folder, `${stemOf(step)}.safetensors`),
  state: join(folder, `${stemOf(step)}.json`),
});

/** A state with a number that is not finite is not saved: nothing good can be resumed from it. */
export class NotFinite extends UserError {
  override name = "NotFinite";
}

/** A tensor that throws `NotFinite` where it would be stored with such a number. */
const finite = (tensor: StoredTensor): StoredTensor => ({
  ...tensor,
  read: async () => {
    const data = await tensor.read();
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw new NotFinite(`${tensor.name} holds ${data[at]}`);
    return data;
  },
});

export type NewCheckpoint = Pick<CheckpointState, "step" | "seed" | "samples" | "health"> & {
  readonly tensors: readonly StoredTensor[];
  /** How many of the latest checkpoints stay. */
  readonly keep: number;
};

/**
 * Writes a checkpoint and then removes later ones (of a continuation that was given up) and all but the last `keep`; where
 * the loss of none of these was sane, the last one whose was stays too. At every moment the folder holds the checkpoints it
 * held before, whole: a kill or a full disk costs only the new one. Throws `NotFinite` for a state that is not finite.
 */
export const saveCheckpoint = async (
  folder: string,
  { tensors, keep, ...state }: NewCheckpoint,
  onNote?: (text: string) => void,
): Promise<void> => {
  await makeFolder(folder);
  await removeLeftovers(folder, isCheckpointFile);
  await writeCheckpoint(folder, state, tensors);
  const all = await listCheckpoints(folder);
  const abandoned = all.filter((other) => other > state.step); // a run that went back with --resume-from has left them behind
  const own = all.filter((other) => other <= state.step);
  const good = await goodBeyond(folder, own, keep);
  const surplus = own.slice(0, -keep).filter((other) => other !== good);
  if (good !== undefined) onNote?.(`the checkpoint of step ${good} is kept: it is the last one with a sane loss`);
  for (const old of [...abandoned, ...surplus]) await removeCheckpoint(folder, old);
};

const writeCheckpoint = async (
  folder: string,
  { step, ...rest }: Omit<NewCheckpoint, "tensors" | "keep">,
  tensors: readonly StoredTensor[],
): Promise<void> => {
  const paths = checkpointPaths(folder, step);
  const hash = createHash("sha256");
  const metadata = { format: "pt", step: String(step) };
  await writeSafetensors(paths.tensors, tensors.map(finite), metadata, (bytes) => void hash.update(bytes));
  const state: CheckpointState = { format: 1, step, ...rest, sha256: hash.digest("hex") };
  try {
    await writeFileAtomically(paths.state, `${JSON.stringify(state, null, 2)}\n`);
  } catch (thrown) {
    if (!isPresent(paths.state)) await rm(paths.tensors, { force: true }); // of no use alone, and the disk may be full
    throw thrown;
  }
};

/** The last checkpoint with a sane loss, where it is not among the last `keep` and these all have a wild one. */
const goodBeyond = async (folder: string, steps: readonly number[], keep: number): Promise<number | undefined> => {
  for (const [i, step] of [...steps].reverse().entries()) {
    const health = (await stateOf(folder, step))?.health;
    if (!health || isSane(health)) return i < keep || !health ? undefined : step;
  }
  return undefined;
};

/** A checkpoint's small file, where it is whole. */
const stateOf = async (folder: string, step: number): Promise<CheckpointState | undefined> => {
  const paths = checkpointPaths(folder, step);
  return unlessAbsent(paths.state, () => readState(paths.state)).catch((thrown: unknown) => {
    if (thrown instanceof BadState) return undefined;
    throw thrown;
  });
};

const removeCheckpoint = async (folder: string, step: number): Promise<void> => {
  const { tensors, state } = checkpointPaths(folder, step);
  await rm(state, { force: true });
  await rm(tensors, { force: true });
};

class BadState extends UserError {}

const readState = async (path: string): Promise<CheckpointState> => {
  const text = await readFile(path, "utf8");
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    throw new BadState(`${basename(path)} does not say what a checkpoint's must`);
  }
};

/** The latest checkpoint whose loss was sane, with how training went; `later` are those after it whose loss was not. */
export const lastSaneCheckpoint = async (
  folder: string,
): Promise<{ step: number; health: Health; later: readonly number[] } | undefined> => {
  const later: number[] = [];
  for (const step of (await listCheckpoints(folder)).reverse()) {
    const health = (await stateOf(folder, step))?.health;
    if (health && isSane(health)) return { step, health, later: later.reverse() };
    if (health) later.push(step);
  }
  return undefined;
};

/** What is wrong with a checkpoint; undefined where nothing is. Throws `Unreadable` where that cannot be seen. */
const problemOf = async (folder: string, step: number): Promise<string | undefined> => {
  const paths = checkpointPaths(folder, step);
  try {
    const { sha256 } = await readWhole(paths.state);
    const file = await openSafetensors(paths.tensors); // says plainly what is wrong with a truncated file
    await file.close();
    return (await sha256Of(paths.tensors)) === sha256 ? undefined : "its checksum does not match";
  } catch (thrown) {
    if (thrown instanceof Unreadable) throw thrown;
    return messageOf(thrown);
  }
};

const readWhole = async (path: string): Promise<CheckpointState> => {
  const state = await unlessAbsent(path, () => readState(path));
  if (!state) throw new UserError(`there is no file ${path}`);
  return state;
};

/** The step that either file of a checkpoint holds, where that is not the one in its name. */
const otherStep = async (folder: string, step: number): Promise<number | undefined> => {
  const paths = checkpointPaths(folder, step);
  const stated = (await stateOf(folder, step))?.step;
  if (stated !== undefined && stated !== step) return stated;
  const file = await openSafetensors(paths.tensors).catch((thrown: unknown) => {
    if (thrown instanceof Unreadable) throw thrown;
    return undefined; // damaged: problemOf says how
  });
  const held = Number(file?.header.metadata.step ?? step);
  await file?.close();
  return held === step ? undefined : held;
};

/**
 * Opens a checkpoint after checking it against its name and its checksum. Throws a `UserError` that names a renamed one
 * and its true step, or a corrupt one, and offers the one before it.
 */
export const loadCheckpoint = async (
  folder: string,
  step: number,
): Promise<{ state: CheckpointState; file: OpenSafetensors }> => {
  const paths = checkpointPaths(folder, step);
  const held = await otherStep(folder, step);
  if (held !== undefined) throw new UserError(renamed(folder, step, held));
  const problem = await problemOf(folder, step);
  if (problem !== undefined) throw new UserError(await corrupt(folder, step, problem));
  return { state: await readWhole(paths.state), file: await openSafetensors(paths.tensors) };
};

const renamed = (folder: string, step: number, held: number): string =>
  `checkpoint ${checkpointPaths(folder, step).tensors} holds step ${held}, not ${step}: it was renamed; ` +
  `give both of its files their names back, ${stemOf(held)}.safetensors and ${stemOf(held)}.json`;

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
