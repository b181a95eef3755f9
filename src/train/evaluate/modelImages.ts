import { createHash } from "node:crypto";
import { UserError } from "../../errors.js";
import { toBytes } from "../../formats/grid.js";
import { channelsLast } from "../../formats/planes.js";
import type { Runtime } from "../../runtime/index.js";
import { openAutoencoder, openDecoder } from "../autoencoder.js";
import { sha256Of } from "../files.js";
import { collect, type DrawOptions, type Fixed, Generator, readWeights } from "../generate.js";
import { type ModelDescription, outputKind } from "../model.js";
import { chooseLabels } from "../sample.js";
import { openSource } from "../source.js";
import { digest, type ImageSet } from "./imageSet.js";

export type DrawnOptions = Omit<DrawOptions, "batch"> & {
  readonly count: number;
  readonly seed: number;
  /** Folder of the autoencoder, for a model that draws latents. */
  readonly vae?: string;
};

/** Samples of one network evaluation. */
const BATCH = 100;

const checkModel = ({ network }: ModelDescription, vae: string | undefined): void => {
  const kind = outputKind(network);
  if (kind === "points") throw new UserError("evaluate: this model draws points, not images; compare measures those");
  if (kind === "latents" && vae === undefined)
    throw new UserError(
      `evaluate: this model draws latents with ${network.channels} channels; give --vae with the folder of the autoencoder`,
    );
  if (kind === "images" && vae !== undefined)
    throw new UserError("evaluate: this model draws images itself; leave out --vae");
};

/** Samples [n C H W] as images, where they are latents. */
const openPictures = async (runtime: Runtime, { network }: ModelDescription, vae: string | undefined) => {
  const { channels, imageSize: size } = network;
  if (vae === undefined)
    return { channels, size, hash: "", pictures: async (drawn: Float32Array) => drawn, close: async () => {} };
  const { file } = await openAutoencoder(vae);
  const hash = await sha256Of(file.path).finally(file.close);
  const decoder = await openDecoder(vae, { batch: 1, latent: [channels, size], runtime });
  return {
    channels: decoder.image[0],
    size: decoder.image[1],
    hash,
    pictures: (drawn: Float32Array, n: number) => decoder.decode(drawn, n),
    close: decoder.close,
  };
};

const hashOf = (weights: Fixed): string => {
  const hash = createHash("sha256");
  for (const values of Object.values(weights)) hash.update(new Uint8Array(values.buffer));
  return hash.digest("hex");
};

/** The images that a model draws: image i depends on the seed and i alone. */
export const modelImages = async (
  runtime: Runtime,
  source: string,
  { count, seed, vae, ...draw }: DrawnOptions,
): Promise<ImageSet> => {
  const { description, file, prefix } = await openSource(source, "ema", "evaluate");
  try {
    checkModel(description, vae);
    const weights = await readWeights(description, (name) => file.read(prefix + name));
    const { channels, size, hash, pictures, close } = await openPictures(runtime, description, vae);
    const generator = await Generator.create(runtime, description, { ...draw, batch: BATCH }, weights);
    const labels = chooseLabels(null, description);
    return {
      name: source,
      identity: digest(["model", description, hashOf(weights), draw, seed, ...(vae ? [hash] : [])]),
      size,
      length: count,
      classes: description.classes,
      read: async (first, n) => {
        const drawn = await collect(generator.generate({ first, count: first + n, labels, seed }));
        const pixels = toBytes(await pictures(drawn.images, n));
        return { pixels: channelsLast(pixels, n, channels, size), labels: drawn.labels };
      },
      close: async () => {
        await generator.release();
        await close();
      },
    };
  } finally {
    await file.close();
  }
};
