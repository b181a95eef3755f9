export { type EvaluateOptions, evaluate, type Results } from "./evaluate.js";
export { type Extracted, type FeatureExtractor, judgeExtractor, openFeatures } from "./extractor.js";
export { type TrainFeaturesOptions, trainFeatures } from "./trainFeatures.js";
