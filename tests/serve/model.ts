import { join } from "node:path";
import type { TrainedMethod } from "../../src/methods/index.js";
import type { NetworkConfig } from "../../src/models/network.js";
import { key } from "../../src/random/random.js";
import { openNetwork, saveModel } from "../../src/train/model.js";

const NETWORK = {
  imageSize: 8,
  patch: 4,
  channels: 1,
  width: 16,
  depth: 1,
  heads: 2,
  classes: 3,
  times: 2,
  nullLabel: false,
} as const satisfies NetworkConfig;

const SOFLOW: TrainedMethod = { kind: "soflow", path: "linear", parameterisation: "euler" };

/** Writes a tiny model whose weights are random, all of them, so that its images depend on noise, label and time. */
export const writeTinyModel = async (
  folder: string,
  name: string,
  method: TrainedMethod = SOFLOW,
  changes: Partial<NetworkConfig> = {},
): Promise<string> => {
  const network = { ...NETWORK, times: method.kind === "ddpm" ? 1 : 2, ...changes } as NetworkConfig;
  const classes = Array.from({ length: network.classes }, (_, i) => `class ${i}`);
  const weights = openNetwork(network).parameters.map(({ name, tensor }) => ({
    name,
    shape: tensor.shape,
    read: async () => {
      const size = tensor.shape.reduce((n, d) => n * d, 1);
      return key(1)
        .fold(name)
        .normal(size)
        .map((z) => 0.3 * z);
    },
  }));
  const path = join(folder, name);
  await saveModel(path, { format: "soflow", version: 1, network, method, classes }, weights, 1);
  return path;
};
