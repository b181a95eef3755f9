import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.js";
import { grid, toBytes } from "../formats/grid.js";
import { encodeNpz } from "../formats/npz.js";
import { parameterInput } from "../nn/index.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { findCheckpoint, listCheckpoints, loadCheckpoint } from "./checkpoint.js";
import { writeFileAtomically } from "./files.js";
import { collect, type Generated, Generator, uploadWeights } from "./generate.js";
import { checkWeights, type ModelDescription, modelPaths, openNetwork, openWeights, readDescription } from "./model.js";
import { writePng } from "./picture.js";
import { runPaths } from "./runFolder.js";
import type { OpenSafetensors } from "./safetensorsFile.js";
import { emaName } from "./step.js";

export type SampleOptions = {
  /** A run folder, a model folder, or a checkpoint file. */
  readonly source: string;
  /** Number of images. */
  readonly count: number;
  /** Network evaluations per image. */
  readonly steps: number;
  /** Labels to draw in turn; null: every label of the model in turn. */
  readonly labels: readonly number[] | null;
  readonly seed: number;
  /** Images per network evaluation. */
  readonly batch: number;
  /** png: one sheet. npz: `arr_0` uint8 [N H W C] and `arr_1` labels, as the official evaluator reads them. folder: a PNG an image. */
  readonly out: { readonly path: string; readonly kind: "png" | "npz" | "folder" };
  /** Each pixel becomes scale × scale in PNG files. */
  readonly scale: number;
  /** The averaged weights or those of the last step. */
  readonly weights: "ema" | "model";
  readonly onProgress?: (done: number, count: number) => void;
  readonly runtime?: Runtime;
};

type Source = { readonly description: ModelDescription; readonly file: OpenSafetensors; readonly prefix: string };

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

/** Finds the network and the weights behind a path. */
const openSource = async (source: string, weights: SampleOptions["weights"]): Promise<Source> => {
  if (!existsSync(source) && basename(source) !== "latest")
    throw new UserError(`sample: there is no ${source}; give a run folder, a model folder or a checkpoint`);
  const model = modelPaths(source);
  if (existsSync(model.config)) return fromModel(source, weights);
  const run = runPaths((await isFolder(source)) ? source : dirname(dirname(source)));
  if (!existsSync(run.network))
    throw new UserError(
      `sample: ${source} is not a run folder, a model folder or a checkpoint: ${run.network} is missing`,
    );
  const latest = (await listCheckpoints(run.checkpoints)).at(-1);
  if (latest === undefined && existsSync(run.model)) return fromModel(run.model, weights);
  if (latest === undefined) throw new UserError(`sample: ${source} has no checkpoint yet`);
  const { folder, step } = (await isFolder(source))
    ? { folder: run.checkpoints, step: latest }
    : await findCheckpoint(source);
  const { file } = await loadCheckpoint(folder, step);
  return {
    description: await readDescription(run.network),
    file,
    prefix: weights === "ema" ? emaName("") : parameterInput(""),
  };
};

const fromModel = async (folder: string, weights: SampleOptions["weights"]): Promise<Source> => {
  if (weights === "model")
    throw new UserError(
      `sample: ${folder} is a model folder, which holds averaged weights only; --weights model needs a run folder or a checkpoint`,
    );
  return { description: await readDescription(modelPaths(folder).config), file: await openWeights(folder), prefix: "" };
};

/** The labels to draw; every one must be known to the model. */
const chooseLabels = (labels: readonly number[] | null, { classes }: ModelDescription): readonly number[] => {
  if (classes.length === 0) {
    if (labels) throw new UserError("sample: this model is unconditional; leave out --labels");
    return [];
  }
  const unknown = labels?.find((label) => label >= classes.length);
  if (unknown !== undefined)
    throw new UserError(`sample: label ${unknown} is out of range; the model has labels 0 to ${classes.length - 1}`);
  return labels ?? classes.map((_, i) => i);
};

/** Draws images from a run or a model and writes them; nothing is written until all are drawn. */
export const sampleToFiles = async (options: SampleOptions): Promise<void> => {
  const { description, file, prefix } = await openSource(options.source, options.weights);
  const runtime = options.runtime ?? (await openRuntime());
  try {
    const labels = chooseLabels(options.labels, description);
    checkWeights(file, openNetwork(description.network).parameters, prefix);
    const generator = await Generator.create(runtime, description, Math.min(options.batch, options.count));
    const weights = await uploadWeights(runtime, description, (name) => file.read(prefix + name));
    const batches = generator.generate(weights, {
      count: options.count,
      evaluations: options.steps,
      labels,
      seed: options.seed,
    });
    await writeSamples(options, description, await collect(reporting(batches, options)));
    generator.release();
  } finally {
    await file.close();
    if (!options.runtime) await runtime.close();
  }
};

async function* reporting(
  batches: AsyncIterable<Generated>,
  { count, onProgress }: SampleOptions,
): AsyncGenerator<Generated> {
  let done = 0;
  for await (const batch of batches) {
    done += batch.labels.length;
    onProgress?.(done, count);
    yield batch;
  }
}

const writeSamples = async (
  { out, scale }: SampleOptions,
  { network }: ModelDescription,
  { images, labels }: Generated,
): Promise<void> => {
  const { channels, imageSize: size } = network;
  const data = toBytes(images);
  const [count, stride] = [labels.length, channels * size * size];
  await mkdir(out.kind === "folder" ? out.path : dirname(out.path), { recursive: true });
  if (out.kind === "png") return writePng(out.path, grid({ data, count, channels, size }, { scale }));
  if (out.kind === "npz")
    return writeFileAtomically(out.path, encodeNpz(evaluatorArrays(data, labels, channels, size)));
  for (let i = 0; i < count; i++) {
    const one = { data: data.subarray(i * stride, (i + 1) * stride), count: 1, channels, size };
    await writePng(join(out.path, `${String(i).padStart(6, "0")}.png`), grid(one, { scale, margin: 0 }));
  }
};

/** arr_0: bytes [N H W 3], grey repeated; arr_1: labels int64 [N]. */
const evaluatorArrays = (data: Uint8Array, labels: readonly number[], channels: number, size: number) => {
  const [count, plane] = [labels.length, size * size];
  const pixels = new Uint8Array(count * plane * 3);
  for (let i = 0; i < count; i++)
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < 3; c++)
        pixels[(i * plane + p) * 3 + c] = data[(i * channels + Math.min(c, channels - 1)) * plane + p]!;
  return {
    arr_0: { shape: [count, size, size, 3], data: pixels },
    arr_1: { shape: [count], data: BigInt64Array.from(labels, BigInt) },
  };
};
