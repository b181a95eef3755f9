export {
  type BatchShape,
  dividesEvenly,
  firstCount,
  labeled,
  microBatch,
  partOf,
  type RawBatch,
  sampleInputs,
} from "./batch.js";
export { DDPM_STEPS } from "./ddpm.js";
export {
  defineMethod,
  type Method,
  type MethodSettings,
  type MethodSpec,
  type Networks,
  type OpenMethod,
  type SamplerChoice,
  type TrainedMethod,
} from "./define.js";
export { type DrawContext, logitNormalTime, perBatch, perSample } from "./draws.js";
export { outputsOf } from "./outputs.js";
export { methodOf, methods, openMethod, registerMethod } from "./registry.js";
export type { SoFlowSettings } from "./soflow.js";
