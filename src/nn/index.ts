export { selfAttention } from "./attention.js";
export { labelEmbedding, sinusoid, timeEmbedding } from "./embedding.js";
export { type Initializer, normalInit, xavierUniform, zerosInit } from "./initializers.js";
export { linear } from "./linear.js";
export { fromPatches, patchEmbedding, positionEmbedding, positionValues, toPatches } from "./patches.js";
export { type Parameter, parameterInput, Scope } from "./scope.js";
