/**
 * soflow: one-step generative models on ONNX Runtime. What the command line does, as functions: `runTraining`,
 * `sampleToFiles`, `encodeImages`, `quickstart`, `verifyFolder`; and the engine under them.
 */
export { grad, gradients, jvp, stopGradient, vjp } from "./autodiff/index.js";
export { type CompareOptions, runComparison } from "./compare/run.js";
export { parseComparison, resolveComparison } from "./compare/schema.js";
export { type DataSource, type Dataset, drawPoints, Loader, openDataset } from "./data/index.js";
export * as editing from "./editing/index.js";
export { UserError } from "./errors.js";
export * as evaluation from "./eval/index.js";
export type { DType, HostArray, Shape, TensorType } from "./graph/dtype.js";
export { printGraph } from "./graph/print.js";
export { Tensor } from "./graph/tensor.js";
export { DIT_SIZES, type DiTConfig, dit } from "./models/dit.js";
export * as nn from "./nn/index.js";
export { Scope } from "./nn/index.js";
export * as objectives from "./objectives/index.js";
export { lower } from "./onnx/index.js";
export * as ops from "./ops/index.js";
export { adamw, chain, learningRate, radam, type Transform } from "./optim/index.js";
export * as paths from "./paths/index.js";
export { type Key, key } from "./random/random.js";
export {
  type DeviceTensor,
  type Executable,
  evaluate,
  matmulRate,
  openRuntime,
  type Program,
  type Runtime,
} from "./runtime/index.js";
export { SAMPLERS, type SamplerName } from "./samplers/index.js";
export { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "./serve/server.js";
export { type Site, type SiteOptions, writeSite } from "./serve/site.js";
export { type Decoder, type Encoder, openDecoder, openEncoder } from "./train/autoencoder.js";
export { type Config, parseConfig, resolveConfig } from "./train/config/index.js";
export { PRESETS, type Preset } from "./train/config/presets.js";
export { type EncodeImagesOptions, encodeImages, mergeLatents } from "./train/encode/index.js";
export {
  type EvaluateOptions,
  evaluate as evaluateSamples,
  evaluateRepeats,
  type FeatureExtractor,
  figuresOf,
  type Results,
  trainFeatures,
} from "./train/evaluate/index.js";
export { type ExportOptions, exportModel } from "./train/export/export.js";
export type { Manifest } from "./train/export/manifest.js";
export { type Generated, Generator, readWeights } from "./train/generate.js";
export { download } from "./train/hub/download.js";
export { type DownloadProgress, fetchModel, type HubOptions } from "./train/hub/hub.js";
export { type Imported, type ImportOptions, importCheckpoint } from "./train/import.js";
export { type InceptionOptions, openInception } from "./train/inception/extractor.js";
export { type ModelDescription, openNetwork, readDescription, saveModel } from "./train/model.js";
export { type GenerateImagesOptions, type Images, type PretrainedOptions, SoFlow } from "./train/pretrained.js";
export { type QuickstartResult, quickstart } from "./train/quickstart.js";
export { type RunOptions, type RunResult, runTraining } from "./train/run.js";
export { type Drawn, drawSamples, type SampleOptions, sampleToFiles } from "./train/sample.js";
export { openWeights } from "./train/shards.js";
export { TrainingStep } from "./train/step.js";
export { verifyFolder } from "./verify/verify.js";
