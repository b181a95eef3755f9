export { imageShape } from "./data.js";
export { MODEL_NAMES, modelSizes } from "./model.js";
export { configToYaml, toYaml } from "./print.js";
export {
  configOfRun,
  configStem,
  parseConfig,
  parseWith,
  presetNames,
  readConfigFile,
  resolveConfig,
} from "./resolve.js";
export type {
  Config,
  DataConfig,
  EmaConfig,
  ModelConfig,
  ObjectiveConfig,
  OptimizerConfig,
  TrainConfig,
} from "./schema.js";
export { commonSections, configSchema } from "./schema.js";
