import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LIMITS } from "../checks/limits.js";
import { openDataset } from "../data/index.js";
import { messageOf, UserError } from "../errors.js";
import { openMethod } from "../methods/index.js";
import { checkNetwork } from "../models/network.js";
import { parameterInput } from "../nn/index.js";
import { saveCheckpoint } from "./checkpoint.js";
import { type Config, configToYaml } from "./config/index.js";
import { withAbsolutePaths } from "./config/paths.js";
import { writeFileAtomically } from "./files.js";
import { type ImportConfig, readImportConfig } from "./import/config.js";
import { openCheckpoint } from "./import/file.js";
import { checkFit } from "./import/fit.js";
import { type ByParameter, type Layout, layoutOf } from "./import/layout.js";
import { type ModelDescription, openNetwork, saveModel, writeDescription } from "./model.js";
import { describeModel } from "./open.js";
import { runPaths } from "./runFolder.js";
import type { StoredTensor } from "./safetensorsFile.js";
import { averageName, emaName } from "./step.js";

export type ImportOptions = {
  /** A file of torch.save or a .safetensors file. */
  readonly checkpoint: string;
  /** Our configuration or the official code's: a YAML file, or a preset by name. */
  readonly config: string;
  /** `section.field=value`, in our terms. */
  readonly overrides?: readonly string[];
  /** The folder to make. */
  readonly out: string;
  readonly onProgress?: (done: number, count: number) => void;
  readonly onNote?: (text: string) => void;
};

export type Imported = {
  /** run: `soflow train` goes on from it; model: `soflow sample` draws from it. */
  readonly kind: "run" | "model";
  readonly folder: string;
  readonly step: number;
};

/**
 * Makes a run folder of a checkpoint with optimiser state, or else a model folder. Tensors are read and written one by
 * one; the folder appears when it is whole. Throws a `UserError` for a checkpoint that cannot be read or does not fit.
 */
export const importCheckpoint = async (options: ImportOptions): Promise<Imported> => {
  const settings = readImportConfig(options.config, options.overrides ?? []);
  await requireFree(options.out);
  const checkpoint = await openCheckpoint(options.checkpoint);
  try {
    const layout = await layoutOf(checkpoint);
    const description = await describe(settings, layout, options);
    checkNetwork(description.network);
    checkFit(options.checkpoint, layout, description, openNetwork(description.network).parameters);
    return await writeFolder(options, (folder) => fill(folder, options, settings, layout, description));
  } finally {
    await checkpoint.close();
  }
};

const requireFree = async (out: string): Promise<void> => {
  const found = await readdir(out).catch((thrown: NodeJS.ErrnoException) =>
    thrown.code === "ENOENT" ? [] : [messageOf(thrown)],
  );
  if (found.length > 0) throw new UserError(`--out ${out} is there already and not an empty folder; choose another`);
};

const TABLE = "y_embedder.embedding_table.weight";

/** The model of a configuration, with as many labels as the checkpoint's table has. */
const describe = async (
  { config, shape }: ImportConfig,
  { weights, average }: Layout,
  options: ImportOptions,
): Promise<ModelDescription> => {
  const rows = (weights ?? average)?.get(TABLE)?.shape[0];
  const count = rows && rows - Number(openMethod(config.objective).labelDropout > 0);
  return describeModel(config, { shape, classes: await labelNames(config, count, options) });
};

/** Names of the labels, where the data are at hand; else their numbers. */
const labelNames = async (
  { data, seed }: ImportConfig["config"],
  count: number | undefined,
  { onNote, checkpoint }: ImportOptions,
): Promise<readonly string[]> => {
  if (data?.labels === false) return [];
  if (count !== undefined && count > LIMITS.classes)
    throw new UserError(`${checkpoint} has ${count} labels; at most ${LIMITS.classes} are possible`);
  const names = data && (await classesOf(data, seed, onNote));
  if (!names) return Array.from({ length: count ?? 0 }, (_, i) => String(i));
  if (count !== undefined && Math.max(1, names.length) !== Math.max(1, count))
    throw new UserError(
      `${checkpoint} has ${count} labels; the data of the configuration have ${names.length} (for latents that lack some of them: --set data.classes=${count})`,
    );
  return names;
};

const classesOf = async (
  data: Config["data"],
  seed: number,
  onNote: ImportOptions["onNote"],
): Promise<readonly string[] | undefined> => {
  try {
    const dataset = await openDataset(data, seed);
    await dataset.close();
    return dataset.classes;
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    onNote?.(`labels are called by their numbers, for the data cannot be opened: ${thrown.message}`);
    return undefined;
  }
};

/** Fills a folder beside its place and moves it there; on any error nothing is left. */
const writeFolder = async (
  { out }: ImportOptions,
  write: (folder: string) => Promise<Omit<Imported, "folder">>,
): Promise<Imported> => {
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  try {
    await mkdir(temporary, { recursive: true });
    const imported = await write(temporary);
    await rename(temporary, out);
    return { ...imported, folder: out };
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true });
    throw thrown instanceof UserError ? thrown : new UserError(`${out} could not be written: ${messageOf(thrown)}`);
  }
};

const fill = async (
  folder: string,
  options: ImportOptions,
  { config }: ImportConfig,
  layout: Layout,
  description: ModelDescription,
): Promise<Omit<Imported, "folder">> => {
  const { weights, average, moments, step = 0 } = layout;
  const { checkpoint, onProgress, onNote } = options;
  if (!average) onNote?.(`${checkpoint} has no averaged weights; those of its last step take their place`);
  const run = moments && runParts(layout, config);
  if (typeof run === "object") return writeRun(folder, options, config, description, run);
  if (run) onNote?.(`${run}: a model folder is made, without the optimizer's state`);
  const tensors = stored(average ?? weights!, description, (name) => name);
  await saveModel(folder, description, counted(tensors, onProgress), step);
  return { kind: "model", step };
};

/** What a run needs of a checkpoint and its configuration, all of it there. */
type RunParts = Required<{ [K in "weights" | "moments" | "step"]: NonNullable<Layout[K]> }> & {
  readonly average: ByParameter;
  readonly data: Config["data"];
};

/** The parts of a run, or in words why there is none although the optimiser's state is there. */
const runParts = ({ weights, average, moments, step }: Layout, { data }: ImportConfig["config"]): RunParts | string => {
  if (!data)
    return "the configuration's data are of a kind that this version cannot train on (--set data=… gives others)";
  if (!weights || !moments) return "the checkpoint has averaged weights only";
  if (step === undefined) return "the checkpoint does not say its step";
  return { weights, average: average ?? weights, moments, step, data };
};

const writeRun = async (
  folder: string,
  { out, onProgress }: ImportOptions,
  settings: ImportConfig["config"],
  description: ModelDescription,
  { weights, average, moments, step, data }: RunParts,
): Promise<Omit<Imported, "folder">> => {
  const config: Config = { ...settings, data, out };
  const tensors = [
    ...stored(weights, description, parameterInput),
    ...stored(moments.m, description, (name) => `m.${name}`),
    ...stored(moments.v, description, (name) => `v.${name}`),
    ...stored(average, description, emaName),
    ...(openMethod(config.objective).targetDecay ? stored(weights, description, averageName) : []),
  ];
  const paths = runPaths(folder);
  await writeFileAtomically(paths.config, configToYaml(withAbsolutePaths(config)));
  await writeDescription(paths.network, description);
  const { seed, train } = config;
  const checkpoint = { step, seed, tensors: counted(tensors, onProgress), keep: train.keepCheckpoints };
  await saveCheckpoint(paths.checkpoints, checkpoint);
  return { kind: "run", step };
};

/** Every parameter of the network, under another name. */
const stored = (from: ByParameter, { network }: ModelDescription, called: (name: string) => string): StoredTensor[] =>
  openNetwork(network).parameters.map(({ name }) => {
    const { shape, read } = from.get(name)!; // checkFit has seen to it
    return { name: called(name), shape, read };
  });

const counted = (tensors: readonly StoredTensor[], onProgress: ImportOptions["onProgress"]): StoredTensor[] =>
  tensors.map((tensor, i) => ({
    ...tensor,
    read: async () => {
      onProgress?.(i + 1, tensors.length);
      return tensor.read();
    },
  }));
