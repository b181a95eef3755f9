export { type EvaluateOptions, evaluate } from "./evaluate.js";
export type { Extracted, FeatureExtractor } from "./extractor.js";
export { type Figure, figuresOf, figureText } from "./figures.js";
export { judgeExtractor, openFeatures } from "./judgeFeatures.js";
export { evaluateRepeats, type Repeated } from "./repeats.js";
export type { Results } from "./results.js";
export { type TrainFeaturesOptions, trainFeatures } from "./trainFeatures.js";
