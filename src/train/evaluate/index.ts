export { type EvaluateOptions, evaluate, type Results } from "./evaluate.js";
export type { Extracted, FeatureExtractor } from "./extractor.js";
export { judgeExtractor, openFeatures } from "./judgeFeatures.js";
export { type TrainFeaturesOptions, trainFeatures } from "./trainFeatures.js";
