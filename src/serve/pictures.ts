import { UserError } from "../errors.js";
import type { NetworkConfig } from "../models/network.js";
import type { Runtime } from "../runtime/index.js";
import { openDecoder, openEncoder } from "../train/autoencoder.js";
import { outputKind } from "../train/model.js";

/**
 * Between pictures and what a network works on: nothing for models of images, an autoencoder for models of latents. Calls must not
 * overlap: its halves have their tensors but once.
 */
export type Pictures = {
  /** Whether the network works on latents. */
  readonly areDecoded: boolean;
  /** Of a picture. */
  readonly channels: number;
  readonly size: number;
  /** A picture [C H W] in [−1, 1] as the network has it. */
  readonly toModel: (picture: Float32Array) => Promise<Float32Array>;
  /** n samples of the network as pictures [n C H W] in about [−1, 1]. */
  readonly toPictures: (samples: Float32Array, n: number) => Promise<Float32Array>;
  /** A mask [H W] in the network's size. */
  readonly toModelMask: (mask: Float32Array) => Float32Array;
  readonly release: () => Promise<void>;
};

/**
 * Whether a model draws latents. Throws a `UserError` that begins with `who` for one that draws points, and for latents without an
 * autoencoder.
 */
export const drawsLatents = (who: string, path: string, network: NetworkConfig, vae: string | undefined): boolean => {
  const kind = outputKind(network);
  if (kind === "points") throw new UserError(`${who}: ${path} draws points; models of images are needed`);
  if (kind === "latents" && vae === undefined)
    throw new UserError(
      `${who}: ${path} draws latents of ${network.channels} channels; give their autoencoder with --vae`,
    );
  return kind === "latents";
};

/** Throws a `UserError` where an autoencoder is given and no model has a use for it. */
export const requireUse = (who: string, vae: string | undefined, latents: readonly boolean[]): void => {
  if (vae !== undefined && !latents.includes(true))
    throw new UserError(`${who}: --vae is given, but no model draws latents; leave it out`);
};

const asTheyAre = ({ channels, imageSize: size }: NetworkConfig): Pictures => ({
  areDecoded: false,
  channels,
  size,
  toModel: async (picture) => picture,
  toPictures: async (samples) => samples,
  toModelMask: (mask) => mask,
  release: async () => {},
});

/** Means over cells: a mask [H H] as [h h], h a divisor of H. */
export const shrunk = (mask: Float32Array, size: number, cells: number): Float32Array => {
  const each = size / cells;
  const found = new Float32Array(cells * cells);
  for (let p = 0; p < mask.length; p++) {
    const [row, column] = [Math.floor(p / size), p % size];
    found[Math.floor(row / each) * cells + Math.floor(column / each)]! += mask[p]! / each ** 2;
  }
  return found;
};

/** Opens what turns samples of a network into pictures; `vae` is an autoencoder's folder, for latents. */
export const openPictures = async (
  runtime: Runtime,
  network: NetworkConfig,
  vae: string | undefined,
): Promise<Pictures> => {
  if (outputKind(network) === "images" || vae === undefined) return asTheyAre(network);
  const { channels: latentChannels, imageSize: cells } = network;
  const decoder = await openDecoder(vae, { batch: 1, latent: [latentChannels, cells], runtime }); // it needs far more memory than the network
  const [channels, size] = decoder.image;
  const encoder = await openEncoder(vae, { batch: 1, size, runtime });
  return {
    areDecoded: true,
    channels,
    size,
    toModel: encoder.encodeMean,
    toPictures: decoder.decode,
    toModelMask: (mask) => shrunk(mask, size, cells),
    release: async () => {
      await decoder.close();
      await encoder.close();
    },
  };
};
