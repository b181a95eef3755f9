import { LIMITS } from "../checks/limits.js";
import { exhaustive, UserError } from "../errors.js";
import type { DiTConfig } from "./dit.js";
import type { MlpConfig } from "./mlp.js";
import type { NetworkConfig } from "./network.js";
import type { UNetConfig } from "./unet.js";

const sampleNumbers = ({ channels, imageSize }: NetworkConfig): number => channels * imageSize ** 2;

/** Attention 4 w², the hidden layer 8 w² and modulation 6 w² of a block; the embeddings and the last layer. */
const ofDiT = ({ width: w, depth, patch, channels, classes }: DiTConfig): number =>
  depth * 18 * w ** 2 + 2 * w * (w + 256) + w * (2 * channels * patch ** 2 + classes) + 2 * w ** 2;

/** Two layers of 2 w² and modulation 3 w² of a block; every number enters as nine waves. */
const ofMlp = ({ width: w, depth, classes, ...config }: MlpConfig): number =>
  depth * 7 * w ** 2 + 2 * w * (w + 256) + w * (10 * sampleNumbers(config as NetworkConfig) + classes) + 2 * w ** 2;

/** Two 3 × 3 convolutions of a block, the first of joined channels on the way up, and what conditions it. */
const ofUNet = ({ width, multipliers, depth, classes, channels }: UNetConfig): number => {
  const emb = 4 * width;
  const level = (multiplier: number): number => {
    const c = multiplier * width;
    return (depth + 1) * (18 * c ** 2 + 2 * c * emb) + (depth + 2) * (29 * c ** 2 + 2 * c * emb);
  };
  return multipliers.reduce((sum, m) => sum + level(m), 0) + emb * (classes + 2 * emb) + 18 * channels * width;
};

/** About how many parameters a network has, from its sizes alone: nothing is built. */
export const parameterEstimate = (config: NetworkConfig): number => {
  switch (config.kind) {
    case undefined:
    case "dit":
      return ofDiT(config);
    case "mlp":
      return ofMlp(config);
    case "unet":
      return ofUNet(config);
    default:
      return exhaustive(config);
  }
};

/** Every size with its name in a configuration, and the most it may be. */
const sizesOf = (config: NetworkConfig): readonly (readonly [name: string, value: number, most: number])[] => {
  const { imageSize, channels, width, depth, classes } = config;
  const all = [
    ["data.size", imageSize, LIMITS.imageSize],
    ["data.channels", channels, LIMITS.channels],
    ["data.classes", classes, LIMITS.classes],
    ["model.width", width, LIMITS.width],
    ["model.depth", depth, LIMITS.depth],
  ] as const;
  if (config.kind === "mlp") return all;
  if (config.kind !== "unet") return [...all, ["model.heads", config.heads, LIMITS.heads]];
  const { multipliers, augment } = config;
  return [
    ...all,
    ["model.multipliers.length", multipliers.length, LIMITS.levels],
    ["model.multipliers", Math.max(...multipliers), LIMITS.multiplier],
    ["model.augment", augment, LIMITS.augment],
  ];
};

/**
 * Throws a `UserError` for a network beyond every published one, before anything of it is built: one that could only run until
 * memory ends. Messages begin with the field of a configuration.
 */
export const checkLimits = (config: NetworkConfig): void => {
  const large = sizesOf(config).find(([, value, most]) => value > most);
  if (large) throw new UserError(`${large[0]} is ${large[1]}; it must be at most ${large[2]}`);
  const numbers = sampleNumbers(config);
  if (numbers > LIMITS.sampleNumbers)
    throw new UserError(
      `data.size is ${config.imageSize} with ${config.channels} channels, ${numbers} numbers; at most ${LIMITS.sampleNumbers} are possible`,
    );
  if (config.kind !== "mlp" && config.kind !== "unet") checkTokens(config);
  const parameters = parameterEstimate(config);
  if (parameters > LIMITS.parameters)
    throw new UserError(
      `model.width is ${config.width} with depth ${config.depth}, about ${(parameters / 1e9).toPrecision(3)} billion parameters; at most ${LIMITS.parameters / 1e9} billion are possible`,
    );
};

const checkTokens = ({ imageSize, patch }: DiTConfig): void => {
  const tokens = (imageSize / patch) ** 2;
  if (tokens > LIMITS.tokens)
    throw new UserError(
      `model.patch is ${patch}, ${tokens} tokens of an image of ${imageSize}×${imageSize}; at most ${LIMITS.tokens} are possible`,
    );
};
