import { createHash } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../../errors.js";
import { listIfPresent, statIfPresent } from "../../files/index.js";
import { decode } from "../../models/autoencoder.js";
import { input } from "../../ops/index.js";
import { openRuntime, type Runtime } from "../../runtime/index.js";
import { type AutoencoderSource, openAutoencoder, readAutoencoder } from "../autoencoder.js";
import { writeFileAtomically } from "../files.js";
import { readWeights } from "../generate.js";
import { checkWeights, openNetwork } from "../model.js";
import { openSource, type WeightsChoice } from "../source.js";
import {
  decoderInput,
  type GraphOptions,
  generatorGraph,
  type ImageType,
  solutionGraph,
  type Weights,
} from "./graphs.js";
import { type Manifest, type MeasuredManifest, manifestOf } from "./manifest.js";
import { type Measured, measure } from "./measure.js";
import {
  type Build,
  type ExportPrecision,
  encodeWithPlaces,
  type Packed,
  packModel,
  type Written,
  writeWeightsFile,
} from "./pack.js";
import { exampleJs, examplePy, readme } from "./texts.js";

export type ExportOptions = {
  /** A run folder, a model folder, or a checkpoint. */
  readonly source: string;
  /** The averaged weights, by default, or those of the last step. */
  readonly weights?: WeightsChoice;
  /** The folder to make. */
  readonly out: string;
  /** What weights are stored in; default float32. */
  readonly precision?: ExportPrecision;
  /** What comes out; default float32. */
  readonly images?: ImageType;
  /** Folder of the autoencoder that becomes part of the model, for a model that draws latents. */
  readonly vae?: string;
  readonly threads?: number;
  readonly runtime?: Runtime;
  readonly onNote?: (text: string) => void;
  /** Ends the export between two weights or files: it rejects with the signal's reason and leaves nothing behind. */
  readonly signal?: AbortSignal;
};

const GENERATOR = "model.onnx";
const SOLUTION = "solution.onnx";
const DATA = "model.onnx_data";

/** The weights of the network, and of the autoencoder under names of their own. */
const readAll = async (options: ExportOptions, vae: AutoencoderSource | undefined) => {
  const { description, file, prefix } = await openSource(options.source, options.weights ?? "ema", "export");
  try {
    checkWeights(file, openNetwork(description.network).parameters, prefix);
    const own = await readWeights(description, (name) => {
      options.signal?.throwIfAborted();
      return file.read(prefix + name);
    });
    if (!vae) return { description, weights: own as Weights };
    const { channels, imageSize } = description.network;
    const z = input("z", { dtype: "float32", shape: [1, channels, imageSize, imageSize] });
    if (channels !== vae.config.latentChannels)
      throw new UserError(
        `export: the autoencoder decodes ${vae.config.latentChannels} channels; the model draws ${channels}`,
      );
    const decoder = await readAutoencoder(vae.file, (scope) => decode(vae.config)(scope, z), decoderInput);
    return { description, weights: { ...own, ...decoder } as Weights };
  } finally {
    await file.close();
  }
};

/** Throws a `UserError` that begins with `who` where a folder to make is there already. */
export const requireNew = async (out: string, who: string): Promise<void> => {
  const found = (await statIfPresent(out))?.isFile() ? ["a file"] : ((await listIfPresent(out)) ?? []);
  if (found.length > 0)
    throw new UserError(`${who}: --out ${out} is there already and not an empty folder; choose another`);
};

type Subject = Parameters<typeof measure>[1];

const exportWith = async (
  options: ExportOptions,
  examine: (subject: Subject) => Promise<Measured | undefined>,
): Promise<Manifest> => {
  const { out, precision = "float32", images = "float32" } = options;
  await requireNew(out, "export");
  const vae = options.vae === undefined ? undefined : await openAutoencoder(options.vae);
  try {
    const { description, weights } = await readAll(options, vae);
    const graph: GraphOptions = { description, images, ...(vae && { vae: vae.config }) };
    const generator: Build = (batch) => generatorGraph(graph, batch);
    options.signal?.throwIfAborted();
    const solution: Build | undefined = solutionGraph(graph, 1) && ((batch) => solutionGraph(graph, batch)!);
    const packed = packModel("generator", generator, weights, precision, "noise");
    const models: Record<string, Packed> = { [GENERATOR]: packed };
    if (solution) models[SOLUTION] = packModel("solution", solution, weights, precision, "x");
    const labels = description.classes.length;
    const measured = await examine({ labels, generator, packed, weights, precision, images });
    const describe = (files: readonly Written[]) =>
      manifestOf({ description, precision, images, models, measured, files });
    return await writeFolder(out, models, describe, options.signal);
  } finally {
    await vae?.file.close();
  }
};

/**
 * Writes a folder that any ONNX runtime can draw from: `model.onnx` (noise and labels to images, any batch), for solution
 * functions also `solution.onnx` (x, t, s to f(x, t, s)), their weights in `model.onnx_data`, `manifest.json`, a model card and
 * an example in Python and in JavaScript. The models are run here, held against the trained one and timed; the folder
 * appears when all of it is there.
 */
export const exportModel = async (options: ExportOptions): Promise<MeasuredManifest> => {
  const manifest = await exportWith(options, async (subject) => {
    const runtime = options.runtime ?? (await openRuntime(options.threads ? { threads: options.threads } : {}));
    try {
      return await measure(runtime, subject);
    } finally {
      if (!options.runtime) await runtime.close();
    }
  });
  return { ...manifest, measured: manifest.measured! };
};

/** The same folder without running the models: at once, and nothing is known of how they do. */
export const exportUnmeasured = (options: ExportOptions): Promise<Manifest> =>
  exportWith(options, async () => undefined);

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Fills a folder beside its place and moves it there. */
const writeFolder = async (
  out: string,
  models: Readonly<Record<string, Packed>>,
  describe: (files: readonly Written[]) => Manifest,
  signal: AbortSignal | undefined,
): Promise<Manifest> => {
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  try {
    await mkdir(temporary, { recursive: true });
    const { places, file } = await writeWeightsFile(temporary, DATA, Object.values(models), signal);
    const files: Written[] = [file];
    for (const [name, packed] of Object.entries(models)) {
      const bytes = encodeWithPlaces(packed, places);
      await writeFileAtomically(join(temporary, name), bytes);
      files.push({ name, bytes: bytes.length, sha256: sha256(bytes) });
    }
    const manifest = describe(files);
    await writeFileAtomically(join(temporary, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    await writeFileAtomically(join(temporary, "README.md"), readme(manifest));
    await writeFileAtomically(join(temporary, "example.py"), examplePy(manifest));
    await writeFileAtomically(join(temporary, "example.mjs"), exampleJs(manifest));
    await rm(out, { recursive: true, force: true });
    await rename(temporary, out);
    return manifest;
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true });
    signal?.throwIfAborted();
    throw thrown instanceof UserError
      ? thrown
      : new UserError(`export: ${out} could not be written: ${messageOf(thrown)}`);
  }
};
