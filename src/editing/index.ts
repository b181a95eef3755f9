export { editImage, editPath, type ToData } from "./edit.js";
export { mixtureOf, type Wanted, wantedImages } from "./mixture.js";
export { composite, mixNoise, type NoisePart, noised } from "./noise.js";
export type { EditOptions, GenerateOptions, MixedImages, SeedPart } from "./options.js";
export { imageOf, maskOf, type StoredPixels } from "./pixels.js";
