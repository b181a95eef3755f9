import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkOptions } from "../checks/checks.js";
import { LIMITS } from "../checks/limits.js";
import { checkCount, checkLabels } from "../editing/rules.js";
import { UserError } from "../errors.js";
import { grid, gridSize, MOST_PIXELS, toBytes } from "../formats/grid.js";
import { encodeNpz } from "../formats/npz.js";
import { channelsLast } from "../formats/planes.js";
import { downscaling } from "../models/autoencoder.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { openAutoencoder, openDecoder } from "./autoencoder.js";
import { writeFileAtomically } from "./files.js";
import { collect, type DrawOptions, type Generated, Generator, readWeights } from "./generate.js";
import { checkWeights, type ModelDescription, openNetwork, outputKind } from "./model.js";
import { checkDrawOptions, FILES_RULES, SAMPLES_RULES } from "./options.js";
import { sheetOf, writePng } from "./picture.js";
import { openSource, type WeightsChoice } from "./source.js";

export type DrawSamplesOptions = Partial<DrawOptions> & {
  /** A run folder, a model folder, or a checkpoint file. */
  readonly source: string;
  /** Number of images. */
  readonly count: number;
  /** Labels to draw in turn; null or absent: every label of the model in turn. */
  readonly labels?: readonly number[] | null;
  readonly seed: number;
  /** The averaged weights (by default) or those of the last step. */
  readonly weights?: WeightsChoice;
  /** Threads of the runtime, where none is given; by default all cores. */
  readonly threads?: number;
  readonly onProgress?: (done: number, count: number) => void;
  readonly runtime?: Runtime;
};

export type SampleOptions = DrawSamplesOptions & {
  /**
   * png: one sheet (of points, a density). npz: `arr_0` uint8 [N H W C] and `arr_1` labels, as the official evaluator
   * reads them (of points, float32 [N 2]; of latents, float32 [N C H W]). folder: a PNG an image.
   */
  readonly out: { readonly path: string; readonly kind: "png" | "npz" | "folder" };
  /** Each pixel becomes scale × scale in PNG files. */
  readonly scale: number;
  /** Folder of the autoencoder that turns latents into images, for a model that draws latents. */
  readonly vae?: string;
};

/** The labels to draw; every one must be known to the model. */
export const chooseLabels = (labels: readonly number[] | null, { classes }: ModelDescription): readonly number[] => {
  if (classes.length === 0 && labels) throw new UserError("sample: this model is unconditional; leave out --labels");
  checkLabels("sample", labels ?? undefined, classes.length);
  return labels ?? classes.map((_, i) => i);
};

/** Samples in memory, and the model that they are from. */
export type Drawn = Generated & { readonly description: ModelDescription };

/**
 * Draws from a run, a model or a checkpoint. `check` may refuse the model before anything is drawn. Throws a `UserError` for
 * options that cannot be, and for what does not fit the model.
 */
export const drawSamples = async (
  options: DrawSamplesOptions,
  check: (description: ModelDescription) => void = () => {},
): Promise<Drawn> => {
  checkOptions("sample", options, SAMPLES_RULES, ["source", "count", "seed"]);
  return drawChecked({ ...options, labels: options.labels ? [...options.labels] : null }, check);
};

const drawChecked = async (
  options: DrawSamplesOptions,
  check: (description: ModelDescription) => void,
): Promise<Drawn> => {
  const { source, count, seed, labels = null, weights: which = "ema", batch = 64 } = options;
  const { description, file, prefix } = await openSource(source, which, "sample");
  try {
    check(description);
    const chosen = chooseLabels(labels, description);
    const settings = { ...options, batch: Math.min(batch, count) };
    checkCount("sample", count, description.network);
    checkDrawOptions("sample", settings, description);
    checkWeights(file, openNetwork(description.network).parameters, prefix);
    const weights = await readWeights(description, (name) => file.read(prefix + name));
    const runtime = options.runtime ?? (await openRuntime(options.threads ? { threads: options.threads } : {}));
    try {
      const generator = await Generator.create(runtime, description, settings, weights);
      const drawn = await collect(reporting(generator.generate({ count, labels: chosen, seed }), options));
      await generator.release();
      return { ...drawn, description };
    } finally {
      if (!options.runtime) await runtime.close();
    }
  } finally {
    await file.close();
  }
};

/**
 * Draws images from a run or a model and writes them; nothing is written until all are drawn. Returns the network
 * evaluations that each took. Throws as `drawSamples` does, and for pictures that would be too large.
 */
export const sampleToFiles = async (options: SampleOptions): Promise<number> => {
  checkOptions("sample", options, FILES_RULES, ["source", "count", "seed", "out", "scale"]);
  const { vae, out, scale, ...draw } = options;
  const factor = vae === undefined ? 1 : await enlargement(vae); // a wrong folder shows itself before the drawing
  const check = (model: ModelDescription): void => {
    checkOutput(options, model);
    checkPicture(options, model.network.imageSize * factor, outputKind(model.network) === "points");
  };
  const { description, ...drawn } = await drawSamples(draw, check);
  const pictures = { ...description.network, ...drawn };
  await writeSamples(options, vae === undefined ? pictures : await decoded(pictures, vae, options));
  return drawn.evaluations;
};

/** Pixels along a side for each cell of a latent. */
const enlargement = async (vae: string): Promise<number> => {
  const { config, file } = await openAutoencoder(vae);
  await file.close();
  return downscaling(config);
};

/** Throws a `UserError` for a PNG file that would have more pixels than a picture may. */
const checkPicture = ({ out, scale, count }: SampleOptions, size: number, points: boolean): void => {
  if (out.kind === "npz" || points) return;
  const sheet = out.kind === "png";
  const own = sheet ? { count, size } : { count: 1, size };
  const fits = (at: number): boolean => {
    const { width, height } = gridSize(own, { scale: at, ...(sheet ? {} : { margin: 0 }) });
    return width * height <= MOST_PIXELS;
  };
  if (fits(scale)) return;
  const { width, height } = gridSize(own, { scale });
  const best = Array.from({ length: LIMITS.scale }, (_, i) => LIMITS.scale - i).find(fits);
  const instead = best === undefined ? "ask for fewer images, or an --out that ends in .npz" : `at most ${best} fits`;
  throw new UserError(
    `sample: --scale is ${scale} and makes a picture of ${width}×${height} pixels; ${MOST_PIXELS} are possible: ${instead}`,
  );
};

/** Samples as they are written: images, points, or latents. */
type Pictures = Pick<Generated, "images" | "labels"> & { readonly channels: number; readonly imageSize: number };

/** Images of latents, one at a time: the autoencoder needs far more memory for an image than the network for its latent. */
const decoded = async (
  { images: latents, labels, channels, imageSize }: Pictures,
  vae: string,
  { threads, runtime }: SampleOptions,
): Promise<Pictures> => {
  const latent = [channels, imageSize] as const;
  const decoder = await openDecoder(vae, {
    batch: 1,
    latent,
    ...(threads && { threads }),
    ...(runtime && { runtime }),
  });
  try {
    const [pictured, size] = decoder.image;
    const images = (await decoder.decode(latents, labels.length)) as Float32Array<ArrayBuffer>;
    return { images, labels, channels: pictured, imageSize: size };
  } finally {
    await decoder.close();
  }
};

const checkOutput = ({ out, vae }: SampleOptions, { network }: ModelDescription): void => {
  const kind = outputKind(network);
  if (out.kind === "folder" && kind === "points")
    throw new UserError(
      "sample: this model draws points, not images; --out must end in .png (a density) or .npz (arrays)",
    );
  if (vae !== undefined && kind !== "latents")
    throw new UserError("sample: this model draws images itself; leave out --vae");
  if (vae === undefined && kind === "latents" && out.kind !== "npz")
    throw new UserError(
      `sample: this model draws latents with ${network.channels} channels; give --vae with the folder of the autoencoder, or an --out that ends in .npz`,
    );
};

async function* reporting(
  batches: AsyncIterable<Generated>,
  { count, onProgress }: DrawSamplesOptions,
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
  { images, labels, channels, imageSize: size }: Pictures,
): Promise<void> => {
  const kind = outputKind({ channels, imageSize: size });
  const [count, stride] = [labels.length, channels * size * size];
  await mkdir(out.kind === "folder" ? out.path : dirname(out.path), { recursive: true });
  if (out.kind === "png") return writePng(out.path, sheetOf(images, { count, channels, imageSize: size }, { scale }));
  if (out.kind === "npz" && kind === "points")
    return writeFileAtomically(out.path, encodeNpz({ arr_0: { shape: [count, channels], data: images } }));
  if (out.kind === "npz" && kind === "latents")
    return writeFileAtomically(out.path, encodeNpz({ arr_0: { shape: [count, channels, size, size], data: images } }));
  const data = toBytes(images);
  if (out.kind === "npz")
    return writeFileAtomically(out.path, encodeNpz(evaluatorArrays(data, labels, channels, size)));
  for (let i = 0; i < count; i++) {
    const one = { data: data.subarray(i * stride, (i + 1) * stride), count: 1, channels, size };
    await writePng(join(out.path, `${String(i).padStart(6, "0")}.png`), grid(one, { scale, margin: 0 }));
  }
};

/** arr_0: bytes [N H W 3], grey repeated; arr_1: labels int64 [N]. */
const evaluatorArrays = (data: Uint8Array, labels: readonly number[], channels: number, size: number) => ({
  arr_0: { shape: [labels.length, size, size, 3], data: channelsLast(data, labels.length, channels, size) },
  arr_1: { shape: [labels.length], data: BigInt64Array.from(labels, BigInt) },
});
