import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Shape } from "../src/graph/dtype.js";
import { type AutoencoderConfig, decode, encode, SD_VAE } from "../src/models/autoencoder.js";
import { type Parameter, Scope } from "../src/nn/index.js";
import { input } from "../src/ops/index.js";
import { key } from "../src/random/random.js";
import { type StoredTensor, writeSafetensors } from "../src/train/safetensorsFile.js";

/** A narrow autoencoder of two levels: 16×16 images to 4×8×8 latents. */
export const CONFIG: AutoencoderConfig = { ...SD_VAE, widths: [8, 16], groups: 4, scale: 0.5 };
export const SIZE = 16;
export const CELLS = 8;

export const parametersOf = (): readonly Parameter[] => {
  const scope = new Scope();
  encode(CONFIG)(scope, input("x", { dtype: "float32", shape: [1, 3, SIZE, SIZE] }));
  decode(CONFIG)(scope, input("z", { dtype: "float32", shape: [1, 4, CELLS, CELLS] }));
  return scope.parameters;
};

/** A tensor as a network begins with it. */
export const stored = (name: string, shape: Shape, initialize: Parameter["initialize"], as = name): StoredTensor => ({
  name: as,
  shape,
  read: async () => initialize(key(1).fold(name), shape),
});

/** All tensors of the autoencoder. */
export const whole = (): StoredTensor[] =>
  parametersOf().map(({ name, tensor, initialize }) => stored(name, tensor.shape, initialize));

/** Writes a folder as diffusers does. */
export const writeAutoencoder = async (
  path: string,
  tensors: readonly StoredTensor[] = whole(),
  config: object = {},
): Promise<string> => {
  await mkdir(path, { recursive: true });
  const fields = {
    _class_name: "AutoencoderKL",
    block_out_channels: CONFIG.widths,
    norm_num_groups: CONFIG.groups,
    scaling_factor: CONFIG.scale,
    ...config,
  };
  await writeFile(join(path, "config.json"), JSON.stringify(fields));
  await writeSafetensors(join(path, "diffusion_pytorch_model.safetensors"), tensors, { format: "pt" });
  return path;
};
