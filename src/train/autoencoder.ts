import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LIMITS } from "../checks/limits.js";
import { messageOf, UserError } from "../errors.js";
import { count } from "../fields.js";
import { isPresent, statIfPresent } from "../files/index.js";
import { type HostArray, type Shape, sameShape } from "../graph/dtype.js";
import {
  type AutoencoderConfig,
  checkImageSize,
  decode as decodeGraph,
  downscaling,
  encode,
  SD_VAE,
} from "../models/autoencoder.js";
import { parameterInput, Scope } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { input } from "../ops/index.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { firstProblem } from "./config/explain.js";
import { sha256Of } from "./files.js";
import { type OpenSafetensors, openSafetensors } from "./safetensorsFile.js";
import { Turns } from "./turns.js";

const WEIGHTS = ["diffusion_pytorch_model.safetensors", "model.safetensors"];
const CONFIG = "config.json";

/** Fields of diffusers' config.json that are read here. */
const diffusersSchema = z
  .object({
    _class_name: z.unknown(),
    in_channels: count(1, LIMITS.channels).default(SD_VAE.channels),
    latent_channels: count(1, LIMITS.channels).default(SD_VAE.latentChannels),
    block_out_channels: z
      .array(count(1, LIMITS.width))
      .min(1)
      .max(LIMITS.levels)
      .default([...SD_VAE.widths]),
    layers_per_block: count(1, LIMITS.depth).default(SD_VAE.depth),
    norm_num_groups: count(1, LIMITS.width).default(SD_VAE.groups),
    scaling_factor: z.number().gt(0).default(SD_VAE.scale),
  })
  .superRefine(({ block_out_channels, norm_num_groups: groups }, context) => {
    const odd = block_out_channels.find((width) => width % groups !== 0);
    if (odd === undefined) return;
    const message = `block_out_channels has ${odd}; it must be a multiple of norm_num_groups, ${groups}`;
    context.addIssue({ code: "custom", path: ["block_out_channels"], message });
  });

const readConfig = async (path: string): Promise<AutoencoderConfig> => {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    const name = (value as { readonly _class_name?: unknown } | null)?._class_name;
    if (name !== "AutoencoderKL") throw new Error(`its _class_name is ${JSON.stringify(name)}, not "AutoencoderKL"`);
    const result = diffusersSchema.safeParse(value);
    if (!result.success) throw new Error(firstProblem(diffusersSchema, value, result.error.issues));
    const config = result.data;
    return {
      channels: config.in_channels,
      latentChannels: config.latent_channels,
      widths: config.block_out_channels,
      depth: config.layers_per_block,
      groups: config.norm_num_groups,
      scale: config.scaling_factor,
    };
  } catch (thrown) {
    const found = messageOf(thrown).replace(/\s+/g, " ");
    throw new UserError(`vae: ${path} does not describe an autoencoder: ${found}`);
  }
};

/** An autoencoder's folder: what it is, and its open weights. */
export type AutoencoderSource = { readonly config: AutoencoderConfig; readonly file: OpenSafetensors };

/**
 * Opens a folder as diffusers writes it: config.json (without one, sd-vae-ft-mse is assumed) and its weights as
 * safetensors; or a safetensors file alone.
 */
export const openAutoencoder = async (path: string): Promise<AutoencoderSource> => {
  const folder = (await statIfPresent(path))?.isDirectory() ?? false;
  const weights = folder ? WEIGHTS.map((name) => join(path, name)).find(isPresent) : path;
  if (weights === undefined || !isPresent(weights))
    throw new UserError(
      folder
        ? `vae: ${path} holds no weights; it needs ${WEIGHTS.join(" or ")}`
        : `vae: there is no ${path}; give a folder with ${CONFIG} and ${WEIGHTS[0]}`,
    );
  const config = join(path, CONFIG);
  return {
    config: folder && isPresent(config) ? await readConfig(config) : SD_VAE,
    file: await openSafetensors(weights),
  };
};

/** What older files call the parts of attention. */
const OLD_NAMES: readonly (readonly [string, string])[] = [
  ["to_q", "query"],
  ["to_k", "key"],
  ["to_v", "value"],
  ["to_out.0", "proj_attn"],
];

const oldName = (name: string): string => OLD_NAMES.reduce((old, [now, before]) => old.replace(now, before), name);

/** Whether a stored tensor is the wanted one; older files keep attention's matrices as 1×1 convolutions. */
const fits = (stored: Shape, wanted: Shape): boolean =>
  sameShape(stored, wanted) || (wanted.length === 2 && sameShape(stored, [...wanted, 1, 1]));

/** The weights of a part, by program input; what is missing or misshapen is listed together. */
const readParameters = async (
  file: OpenSafetensors,
  scope: Scope,
  called: (name: string) => string = parameterInput,
): Promise<Record<string, HostArray>> => {
  const { entries } = file.header;
  const wrong: string[] = [];
  const weights: Record<string, HostArray> = {};
  for (const { name, tensor } of scope.parameters) {
    const stored = entries.has(name) ? name : oldName(name);
    const shape = entries.get(stored)?.shape;
    if (!shape) wrong.push(`${name} is missing`);
    else if (!fits(shape, tensor.shape))
      wrong.push(`${stored} is [${shape.join(" ")}], not [${tensor.shape.join(" ")}]`);
    else if (wrong.length === 0) weights[called(name)] = await file.read(stored);
  }
  if (wrong.length > 0)
    throw new UserError(
      `vae: ${file.path} does not fit: ${wrong.slice(0, 5).join("; ")}${wrong.length > 5 ? `; and ${wrong.length - 5} more` : ""}`,
    );
  return weights;
};

/** The weights of the part that `build` makes, by the names that `called` gives their inputs. */
export const readAutoencoder = async (
  file: OpenSafetensors,
  build: (scope: Scope) => unknown,
  called: (name: string) => string,
): Promise<Record<string, HostArray>> => {
  const scope = new Scope(new Map(), "", called);
  build(scope);
  return readParameters(file, scope, called);
};

type PartOptions = {
  /** Images, or latents, that go through at once. */
  readonly batch: number;
  readonly threads?: number;
  /** A runtime to use; by default one is opened, and closed with the part. */
  readonly runtime?: Runtime;
};

/** Runs one of the two halves on batches of host arrays, one after another; the last batch may be smaller. */
const openPart = async (
  { file }: AutoencoderSource,
  build: (scope: Scope) => Parameters<typeof lower>[1],
  inputShape: Shape,
  { runtime: given, threads }: PartOptions,
) => {
  const scope = new Scope();
  const outputs = build(scope);
  const runtime = given ?? (await openRuntime(threads ? { threads } : {}));
  try {
    const weights = await readParameters(file, scope);
    const executable = await runtime.compile(lower("autoencoder", outputs, { given: weights }));
    const x = runtime.tensor({ dtype: "float32", shape: inputShape });
    const results = Object.fromEntries(
      Object.entries(executable.program.outputs).map(([name, type]) => [name, runtime.tensor(type)]),
    );
    const turns = new Turns(); // the tensors are there but once
    const runNow = async (values: Float32Array): Promise<Record<string, Float32Array>> => {
      const padded = new Float32Array(inputShape.reduce((n, d) => n * d, 1));
      padded.set(values);
      await x.write(padded);
      await executable.run({ x }, results);
      const read = Object.entries(results).map(async ([name, tensor]) => [name, await tensor.read()] as const);
      return Object.fromEntries(await Promise.all(read)) as Record<string, Float32Array>;
    };
    const run = (values: Float32Array) => turns.run(() => runNow(values));
    const close = async (): Promise<void> => {
      if (!turns.idle) await turns.run(async () => {});
      executable.release();
      for (const tensor of [x, ...Object.values(results)]) tensor.dispose();
      if (!given) await runtime.close();
    };
    return { run, close };
  } catch (thrown) {
    if (!given) await runtime.close();
    throw thrown;
  }
};

/** Images to the mean and deviation of their latents. */
export type Encoder = {
  /** Channels, rows and columns of a latent. */
  readonly latent: readonly [channels: number, height: number, width: number];
  /** SHA-256 of the weights' file. */
  readonly hash: string;
  /** images [count C S S] in [−1, 1], count at most the batch → mean and deviation [count c h w] */
  readonly encode: (images: Float32Array, count: number) => Promise<{ mean: Float32Array; deviation: Float32Array }>;
  /** image [C S S] in [−1, 1] → its latent [c h w] as networks learn them: the mean times `scale` */
  readonly encodeMean: (image: Float32Array) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
};

/** Opens the encoder of an autoencoder's folder for images of one size. Throws a `UserError` where they do not fit. */
export const openEncoder = async (path: string, options: PartOptions & { readonly size: number }): Promise<Encoder> => {
  const source = await openAutoencoder(path);
  try {
    const { config, file } = source;
    const { size, batch } = options;
    checkImageSize(config, size);
    const shape = [batch, config.channels, size, size];
    const x = input("x", { dtype: "float32", shape });
    const { run, close } = await openPart(source, (scope) => encode(config)(scope, x), shape, options);
    const cells = size / downscaling(config);
    const numbers = config.latentChannels * cells * cells;
    const encodeAll = async (images: Float32Array, count: number) => {
      const { mean, deviation } = await run(images);
      return { mean: mean!.slice(0, count * numbers), deviation: deviation!.slice(0, count * numbers) };
    };
    return {
      latent: [config.latentChannels, cells, cells],
      hash: await sha256Of(file.path),
      encode: encodeAll,
      encodeMean: async (image) => (await encodeAll(image, 1)).mean.map((value) => value * config.scale),
      close,
    };
  } finally {
    await source.file.close();
  }
};

/** Latents to images. */
export type Decoder = {
  /** Channels and side of an image. */
  readonly image: readonly [channels: number, size: number];
  /** latents [count c h w] as networks learn them (the encoder's times `scale`) → images [count C S S] in about [−1, 1] */
  readonly decode: (latents: Float32Array, count: number) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
};

/** Opens the decoder of an autoencoder's folder for latents [channels side side]. */
export const openDecoder = async (
  path: string,
  options: PartOptions & { readonly latent: readonly [channels: number, side: number] },
): Promise<Decoder> => {
  const source = await openAutoencoder(path);
  try {
    const { config } = source;
    const [channels, side] = options.latent;
    if (channels !== config.latentChannels)
      throw new UserError(
        `vae: ${path} decodes latents of ${config.latentChannels} channels; the model draws ${channels}`,
      );
    const shape = [options.batch, channels, side, side];
    const x = input("x", { dtype: "float32", shape });
    const { run, close } = await openPart(
      source,
      (scope) => ({ image: decodeGraph(config)(scope, x) }),
      shape,
      options,
    );
    const size = side * downscaling(config);
    const [numbers, pixels] = [channels * side * side, config.channels * size * size];
    const decode = async (latents: Float32Array, count: number): Promise<Float32Array> => {
      const images = new Float32Array(count * pixels);
      for (let first = 0; first < count; first += options.batch) {
        const n = Math.min(options.batch, count - first);
        const z = latents.subarray(first * numbers, (first + n) * numbers).map((value) => value / config.scale);
        images.set((await run(z)).image!.subarray(0, n * pixels), first * pixels);
      }
      return images;
    };
    return { image: [config.channels, size], decode, close };
  } finally {
    await source.file.close();
  }
};
