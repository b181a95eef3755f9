export { anyBatch } from "./anyBatch.js";
export { type Arrival, type Cut, cut } from "./cut.js";
export { fuseAttention } from "./fuseAttention.js";
export { looseOnGpu } from "./looseOnGpu.js";
export { lower, lowerStandard } from "./lower.js";
export { encodeModel, type OnnxModel, type Place } from "./model.js";
export { quantise } from "./quantise.js";
export { simplify } from "./simplify.js";
