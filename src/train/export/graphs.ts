import { UserError } from "../../errors.js";
import type { HostArray } from "../../graph/dtype.js";
import type { Tensor } from "../../graph/tensor.js";
import { methodOf, outputsOf } from "../../methods/index.js";
import { type AutoencoderConfig, decode } from "../../models/autoencoder.js";
import { Scope } from "../../nn/index.js";
import { cast, full, input, maximum, minimum, reshape, transpose, zerosLike } from "../../ops/index.js";
import { type ModelDescription, openNetwork, outputKind } from "../model.js";
import { planOf } from "../plan.js";

/** What comes out: floats [N C H W] in [−1, 1], or bytes [N H W C]. */
export type ImageType = "float32" | "uint8";

/** Names of inputs and outputs of the exported models. */
export const NOISE = "noise";
export const LABEL = "label";
export const IMAGES = "images";

/** The prefix of the autoencoder's weights among the exported ones. */
const VAE = "vae.";

export type GraphOptions = {
  readonly description: ModelDescription;
  readonly images: ImageType;
  /** The autoencoder that is part of the model. */
  readonly vae?: AutoencoderConfig;
};

/** The autoencoder's decoder with its weights as inputs of their own, and the scope that knows them. */
export const decoderScope = (): Scope => new Scope(new Map(), "", (name) => `${VAE}${name}`);
export const decoderInput = (name: string): string => `${VAE}${name}`;

/** The label of every sample: an input, or none at all. */
const labelOf = ({ classes }: ModelDescription, batch: number): Tensor =>
  classes.length > 0 ? input(LABEL, { dtype: "int64", shape: [batch] }) : full(0, { dtype: "int64", shape: [batch] });

const imageInput = (name: string, { network }: ModelDescription, batch: number): Tensor =>
  input(name, { dtype: "float32", shape: [batch, network.channels, network.imageSize, network.imageSize] });

/** Floats as they are shown: kept in [−1, 1], or truncate(clamp(127.5 x + 128, 0, 255)) with channels last. */
const shown = (x: Tensor, images: ImageType): Tensor => {
  if (images === "float32") return minimum(maximum(x, -1), 1);
  const bytes = minimum(maximum(x.mul(127.5).add(128), 0), 255);
  return transpose(cast(bytes, { to: "uint8" }), { order: [0, 2, 3, 1] });
};

/** Latents and points are given as they are, unless an autoencoder makes images of them. */
const finished = (x: Tensor, { description, images, vae }: GraphOptions): Tensor => {
  if (vae) return shown(decode(vae)(decoderScope(), x.div(vae.scale)), images);
  return outputKind(description.network) === "images" ? shown(x, images) : x;
};

/** The whole generator: noise [N C H W] (and labels [N]) to images with one network evaluation. */
export const generatorGraph = (options: GraphOptions, batch: number): Record<string, Tensor> => {
  const { description } = options;
  const noise = imageInput(NOISE, description, batch);
  const { plan, deviation } = planOf(description, labelOf(description, batch), { batch });
  const moves = [...plan.moves(batch)];
  const { name } = methodOf(description.method.kind);
  if (moves.length !== 1)
    throw new UserError(
      `export: ${name} draws with ${moves.length} steps; models that draw with one are exported: SoFlow, MeanFlow and consistency models`,
    );
  const [{ program, at }] = moves as [(typeof moves)[number]];
  const time = { dtype: "float32", shape: [1, 1, 1, 1] } as const; // one for all samples: what follows of it is computed on loading
  const numbers = Object.fromEntries(Object.entries(at).map(([key, value]) => [key, full(Number(value), time)]));
  const { x } = plan.programs[program]!.step(noise.mul(deviation), numbers, zerosLike(noise));
  return { [IMAGES]: finished(x, options) };
};

/**
 * The solution function by itself, for several steps and for editing: x [N C H W], t and s [N] (and labels) to f(x, t, s),
 * not clamped; undefined for methods without one.
 */
export const solutionGraph = ({ description }: GraphOptions, batch: number): Record<string, Tensor> | undefined => {
  const { network } = openNetwork(description.network);
  const label = labelOf(description, batch);
  const { solution } = outputsOf(description.method, { network, c: { label }, guidance: 1, c_null: undefined });
  if (!solution) return undefined;
  const time = (name: string): Tensor =>
    reshape(input(name, { dtype: "float32", shape: [batch] }), { shape: [batch, 1, 1, 1] });
  return { x_s: solution.f(imageInput("x", description, batch), time("t"), time("s")) };
};

/** Values by the name under which a program reads them. */
export type Weights = Readonly<Record<string, HostArray>>;
