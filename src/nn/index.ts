export { selfAttention } from "./attention.js";
export { type ConvOptions, conv } from "./conv.js";
export { labelEmbedding, sinusoid, timeEmbedding } from "./embedding.js";
export { groupNorm } from "./groupNorm.js";
export { type Initializer, normalInit, onesInit, xavierUniform, zerosInit } from "./initializers.js";
export { linear } from "./linear.js";
export { fromPatches, patchEmbedding, positionEmbedding, positionValues, toPatches } from "./patches.js";
export { type Parameter, parameterInput, Scope } from "./scope.js";
