export { type AdamOptions, adamw, addDecay, scaleByAdam, scaleByLearningRate } from "./adam.js";
export { clipFactor, globalNorm } from "./clip.js";
export { type EmaOptions, emaDecay } from "./ema.js";
export { mixture } from "./mixture.js";
export { radam, rectification, scaleByRAdam } from "./radam.js";
export { learningRate, type ScheduleOptions } from "./schedules.js";
export { chain, type Scalars, type Slots, type Transform } from "./transform.js";
