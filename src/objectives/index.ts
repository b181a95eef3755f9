export { type Adaptive, adaptiveWeight, perSample as perSampleMean } from "./adaptive.js";
export { crossEntropy } from "./classification.js";
export {
  consistencyDistillation,
  consistencyFunction,
  consistencyTraining,
  type LevelWeight,
  type Metric,
} from "./consistency.js";
export { curriculum, curriculumProblem, drawLevel, improvedCurriculum, levelProbabilities } from "./curriculum.js";
export { alphaBars, ddpm } from "./diffusion.js";
export { denoiser, edm } from "./edm.js";
export { flowMatching } from "./flow-matching.js";
export type { Guidance } from "./guidance.js";
export {
  type MeanFlowDraws,
  type MeanFlowGuidance,
  type MeanFlowOptions,
  meanFlow,
  meanFlowVelocity,
} from "./meanflow.js";
export { type Loss, mixture, pooled } from "./objective.js";
export type { GuidedSamples, Samples } from "./samples.js";
export {
  type ConsistencyDraws,
  consistencyLoss,
  middleTimes,
  type SoFlowOptions,
  soflow,
  type VelocityDraws,
  velocityLoss,
} from "./soflow.js";
