import { basename, dirname } from "node:path";
import { UserError } from "../errors.js";
import { isPresent, statIfPresent } from "../files/index.js";
import { parameterInput } from "../nn/index.js";
import { checkpointPaths, findCheckpoint, listCheckpoints, loadCheckpoint } from "./checkpoint.js";
import { type ModelDescription, modelPaths, readDescription } from "./model.js";
import { runPaths } from "./runFolder.js";
import type { OpenSafetensors } from "./safetensorsFile.js";
import { openWeights } from "./shards.js";
import { emaName } from "./step.js";

/** A trained model: what it is, the open file of its weights, and what their names begin with there. */
export type Source = {
  /** What names exactly these weights: of a run, the checkpoint. */
  readonly path: string;
  readonly description: ModelDescription;
  readonly file: OpenSafetensors;
  readonly prefix: string;
};

/** The averaged weights or those of the last step. */
export type WeightsChoice = "ema" | "model";

const isFolder = async (path: string): Promise<boolean> => (await statIfPresent(path))?.isDirectory() ?? false;

/** Finds the network and the weights behind a run folder, a model folder or a checkpoint; `who` begins its errors. */
export const openSource = async (source: string, weights: WeightsChoice, who: string): Promise<Source> => {
  if (!isPresent(source) && basename(source) !== "latest")
    throw new UserError(`${who}: there is no ${source}; give a run folder, a model folder or a checkpoint`);
  const model = modelPaths(source);
  if (isPresent(model.config)) return fromModel(source, weights, who);
  const run = runPaths((await isFolder(source)) ? source : dirname(dirname(source)));
  if (!isPresent(run.network))
    throw new UserError(
      `${who}: ${source} is not a run folder, a model folder or a checkpoint: ${run.network} is missing`,
    );
  const latest = (await listCheckpoints(run.checkpoints)).at(-1);
  if (latest === undefined && isPresent(run.model)) return fromModel(run.model, weights, who);
  if (latest === undefined) throw new UserError(`${who}: ${source} has no checkpoint yet`);
  const { folder, step } = (await isFolder(source))
    ? { folder: run.checkpoints, step: latest }
    : await findCheckpoint(source);
  const { file } = await loadCheckpoint(folder, step);
  return {
    path: checkpointPaths(folder, step).tensors,
    description: await readDescription(run.network),
    file,
    prefix: weights === "ema" ? emaName("") : parameterInput(""),
  };
};

const fromModel = async (folder: string, weights: WeightsChoice, who: string): Promise<Source> => {
  if (weights === "model")
    throw new UserError(
      `${who}: ${folder} is a model folder, which holds averaged weights only; --weights model needs a run folder or a checkpoint`,
    );
  return {
    path: folder,
    description: await readDescription(modelPaths(folder).config),
    file: await openWeights(folder),
    prefix: "",
  };
};
