export { imageShape } from "./data.js";
export { MODEL_NAMES, modelSizes } from "./model.js";
export { configToYaml } from "./print.js";
export { parseConfig, presetNames, resolveConfig } from "./resolve.js";
export type {
  Config,
  DataConfig,
  EmaConfig,
  ModelConfig,
  ObjectiveConfig,
  OptimizerConfig,
  TrainConfig,
} from "./schema.js";
