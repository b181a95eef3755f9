import { exhaustive } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import type { Scope } from "../nn/index.js";
import { type BuildOptions, checkDiT, type DiTConfig, dit } from "./dit.js";
import { checkLimits } from "./limits.js";
import { checkMlp, type MlpConfig, mlp } from "./mlp.js";
import { checkUNet, type UNetConfig, type UNetInputs, unet } from "./unet.js";

/** Any network F(x, t, s, y) that methods can train; without a kind it is a DiT. */
export type NetworkConfig = ({ readonly kind?: "dit" } & DiTConfig) | MlpConfig | UNetConfig;

/** What networks read; augmentation and dropout concern the U-Net alone. */
export type NetworkInputs = UNetInputs;

/** Builds the network that a configuration names; shapes as in `dit`. */
export const buildNetwork = (
  config: NetworkConfig,
  options: BuildOptions = {},
): ((scope: Scope, inputs: NetworkInputs) => Tensor) => {
  switch (config.kind) {
    case undefined:
    case "dit":
      return dit(config, options);
    case "mlp":
      return mlp(config);
    case "unet":
      return unet(config, options);
    default:
      return exhaustive(config);
  }
};

/** Throws a `UserError` when the sizes of a network do not fit together, or go beyond `LIMITS`. */
export const checkNetwork = (config: NetworkConfig): void => {
  checkLimits(config);
  if (config.kind === "mlp") checkMlp(config);
  else if (config.kind === "unet") checkUNet(config);
  else checkDiT(config);
};

/** Whether a network is a DiT, which has patches and positions. */
export const isDiT = (config: NetworkConfig): config is { readonly kind?: "dit" } & DiTConfig =>
  config.kind === undefined || config.kind === "dit";

/** The sizes of a network in words. */
export const describeNetwork = (config: NetworkConfig): string => {
  const sizes = `width ${config.width}, depth ${config.depth}`;
  if (config.kind === "mlp") return `${sizes} (MLP)`;
  if (config.kind === "unet") return `${sizes}, multipliers ${config.multipliers.join(", ")} (U-Net)`;
  return `${sizes}, ${config.heads} heads, patch ${config.patch} (DiT)`;
};
