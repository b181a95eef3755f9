export { type EvaluateOptions, evaluate, type Results } from "./evaluate.js";
export { type Extracted, type FeatureExtractor, judgeExtractor, openFeatures } from "./judgeFeatures.js";
export { type TrainFeaturesOptions, trainFeatures } from "./trainFeatures.js";
