import { exhaustive } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import type { Scope } from "../nn/index.js";
import { type BuildOptions, checkDiT, type DiTConfig, dit } from "./dit.js";
import { checkMlp, type MlpConfig, mlp } from "./mlp.js";

/** Any network F(x, t, s, y) that methods can train; without a kind it is a DiT. */
export type NetworkConfig = ({ readonly kind?: "dit" } & DiTConfig) | MlpConfig;

type Inputs = { readonly x: Tensor; readonly t: Tensor; readonly s: Tensor; readonly y: Tensor };

/** Builds the network that a configuration names; shapes as in `dit`. */
export const buildNetwork = (
  config: NetworkConfig,
  options: BuildOptions = {},
): ((scope: Scope, inputs: Inputs) => Tensor) => {
  const kind = config.kind ?? "dit";
  switch (config.kind) {
    case undefined:
    case "dit":
      return dit(config, options);
    case "mlp":
      return mlp(config);
    default:
      return exhaustive(kind as never);
  }
};

/** Throws a `UserError` when the sizes of a network do not fit together. */
export const checkNetwork = (config: NetworkConfig): void =>
  config.kind === "mlp" ? checkMlp(config) : checkDiT(config);
