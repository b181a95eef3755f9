export { composite, mixNoise, noised, type SeedPart } from "../editing/index.js";
export { sampleNoise } from "../random/sampleNoise.js";
export type { Manifest } from "../train/export/manifest.js";
export { toBitmaps } from "./bitmaps.js";
export type { Device, Progress } from "./messages.js";
export {
  type Images,
  type OpenOptions,
  type PageEditOptions as EditOptions,
  type PageGenerateOptions as GenerateOptions,
  SoFlow,
} from "./soflow.js";
