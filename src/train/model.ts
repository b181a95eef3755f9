import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { joinable } from "../autodiff/index.js";
import { messageOf, UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { methodOf } from "../methods/index.js";
import type { BuildOptions } from "../models/dit.js";
import { buildNetwork, describeNetwork, isDiT, type NetworkConfig } from "../models/network.js";
import { type Parameter, parameterInput, positionValues, Scope } from "../nn/index.js";
import { full, input } from "../ops/index.js";
import type { Conditions, Network } from "../paths/index.js";
import { type ModelDescription, parseDescription } from "./description.js";
import type { DropoutMasks } from "./dropout.js";
import { writeFileAtomically } from "./files.js";
import type { OpenSafetensors, StoredTensor } from "./safetensorsFile.js";
import { LARGEST_FILE, writeWeights } from "./shards.js";

export type { ModelDescription } from "./description.js";

export type OpenOptions = BuildOptions & {
  /** In training: which hidden numbers are kept for each row of the batch; without it nothing is dropped. */
  readonly dropout?: DropoutMasks;
};

/** What networks read of a call: x, times, and the conditions that they know. */
type NetworkCall = {
  readonly x: Tensor;
  readonly t: Tensor;
  readonly s: Tensor;
  readonly label: Tensor;
  readonly row?: Tensor;
  readonly augment?: Tensor;
};

const conditionsRead = ({ label, row, augment }: Conditions) => {
  if (!label) throw new Error("the network is conditioned on label; the call gives none");
  return { label, ...(row && { row }), ...(augment && { augment }) };
};

/** A network as a function, and the parameters it has. `inputOf` names the program inputs of its weights. */
export const openNetwork = (
  config: NetworkConfig,
  inputOf: (name: string) => string = parameterInput,
  { dropout, ...options }: OpenOptions = {},
): { network: Network; parameters: readonly Parameter[] } => {
  const scope = new Scope(new Map(), "", inputOf);
  const model = buildNetwork(config, options);
  const call = joinable(({ x, t, s, label, row, augment }: NetworkCall) =>
    model(scope, { x, t, s, y: label, ...(augment && { augment }), ...(row && dropout?.(row)) }),
  );
  const network: Network = (x, t, s, c) => call({ x, t, s, ...conditionsRead(c) });
  const time = full(0, { dtype: "float32", shape: [1, 1, 1, 1] });
  const image = { dtype: "float32", shape: [1, config.channels, config.imageSize, config.imageSize] } as const;
  model(scope, { x: input("x", image), t: time, s: time, y: input("y", { dtype: "int64", shape: [1] }) }); // names the parameters
  return { network, parameters: scope.parameters };
};

const CONFIG = "config.json";
const POSITIONS = "pos_embed"; // a constant here, stored because the official checkpoints have it

/** What a network draws: points in a plane, images of 1 or 3 channels, or latents of an autoencoder. */
export const outputKind = ({
  imageSize,
  channels,
}: Pick<NetworkConfig, "imageSize" | "channels">): "points" | "images" | "latents" => {
  if (imageSize === 1) return "points";
  return channels === 1 || channels === 3 ? "images" : "latents";
};

const drawsWhat = ({ imageSize, channels }: NetworkConfig): string =>
  imageSize === 1
    ? `points of ${channels} coordinates`
    : `${imageSize}×${imageSize} images with ${channels} channel${channels === 1 ? "" : "s"}`;

const card = ({ network, method, classes }: ModelDescription, steps: number, parameters: number): string => `---
library_name: soflow
tags: [${methodOf(method.kind).tag}]
---
# A model trained by ${methodOf(method.kind).name}

Draws ${drawsWhat(network)}; ${methodOf(method.kind).name}, ${methodOf(method.kind).paper}.
${(parameters / 1e6).toFixed(2)} M parameters: ${describeNetwork(network)}.
Trained for ${steps} steps; these are the averaged (EMA) weights.
${classes.length > 0 ? `\nLabels: ${classes.map((name, i) => `${i} = ${name}`).join(", ")}.\n` : "\nUnconditional.\n"}
    soflow sample <this folder> --count 64 --out samples.png
`;

const positionTensor = (network: NetworkConfig): StoredTensor[] => {
  if (!isDiT(network)) return [];
  const [side, { width }] = [network.imageSize / network.patch, network];
  return [{ name: POSITIONS, shape: [1, side * side, width], read: async () => positionValues(side, width) }];
};

/**
 * Writes a model folder: config.json, the weights as safetensors (in shards where they are more than `limit` bytes), and
 * README.md, the model card. Tensors are asked for one at a time.
 */
export const saveModel = async (
  folder: string,
  description: ModelDescription,
  weights: readonly StoredTensor[],
  steps: number,
  limit = LARGEST_FILE,
): Promise<void> => {
  const count = weights.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
  await writeWeights(folder, [...positionTensor(description.network), ...weights], limit);
  await writeFileAtomically(join(folder, "README.md"), card(description, steps, count));
  await writeDescription(join(folder, CONFIG), description);
};

export const writeDescription = (path: string, description: ModelDescription): Promise<void> =>
  writeFileAtomically(path, `${JSON.stringify(description, null, 2)}\n`);

/** Reads config.json or network.json. Throws a `UserError`, as `parseDescription`. */
export const readDescription = async (path: string): Promise<ModelDescription> => {
  const text = await readFile(path, "utf8").catch((thrown: unknown) => {
    throw new UserError(`${path} cannot be read: ${messageOf(thrown)}`);
  });
  return parseDescription(text, path);
};

/** Checks that a file has every parameter in its shape; differences are listed together, by name. */
export const checkWeights = (file: OpenSafetensors, parameters: readonly Parameter[], prefix: string): void => {
  const wrong = parameters.flatMap(({ name, tensor: { shape } }) => {
    const entry = file.header.entries.get(prefix + name);
    if (!entry) return [`${name} is missing`];
    return `${entry.shape}` === `${shape}` ? [] : [`${name} is [${entry.shape}], not [${shape}]`];
  });
  if (wrong.length > 0)
    throw new UserError(
      `${file.path} does not fit the model: ${wrong.slice(0, 5).join("; ")}${wrong.length > 5 ? `; and ${wrong.length - 5} more` : ""}`,
    );
};

/** Whether a file name is that of a part of a model folder. */
export const isModelFile = (name: string): boolean =>
  /^(config\.json|README\.md|model.*\.safetensors(\.index\.json)?)$/.test(name);

/** Paths of a model folder's parts. */
export const modelPaths = (folder: string) => ({ config: join(folder, CONFIG) });
