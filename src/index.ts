/**
 * soflow: one-step generative models on ONNX Runtime. What the command line does, as functions: `runTraining`,
 * `sampleToFiles`, `quickstart`, `verifyFolder`; and the engine under them.
 */
export { grad, gradients, jvp, stopGradient, vjp } from "./autodiff/index.js";
export { type DataSource, type Dataset, Loader, openDataset } from "./data/index.js";
export { UserError } from "./errors.js";
export type { DType, HostArray, Shape, TensorType } from "./graph/dtype.js";
export { printGraph } from "./graph/print.js";
export { Tensor } from "./graph/tensor.js";
export { DIT_SIZES, type DiTConfig, dit } from "./models/dit.js";
export { Scope } from "./nn/index.js";
export { consistencyLoss, type SoFlowOptions, soflow, velocityLoss } from "./objectives/index.js";
export { lower } from "./onnx/index.js";
export * as ops from "./ops/index.js";
export { adamw, chain, learningRate, type Transform } from "./optim/index.js";
export { PARAMETERISATIONS, PATHS, solution, velocity } from "./paths/index.js";
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
export { type Config, parseConfig, resolveConfig } from "./train/config/index.js";
export { type Generated, Generator, uploadWeights } from "./train/generate.js";
export { type ModelDescription, openNetwork, openWeights, readDescription, saveModel } from "./train/model.js";
export { type QuickstartResult, quickstart } from "./train/quickstart.js";
export { type RunOptions, type RunResult, runTraining } from "./train/run.js";
export { type SampleOptions, sampleToFiles } from "./train/sample.js";
export { TrainingStep } from "./train/step.js";
export { verifyFolder } from "./verify/verify.js";
