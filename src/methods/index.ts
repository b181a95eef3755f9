import { exhaustive } from "../errors.js";
import {
  type ConsistencySettings,
  consistencyMethod,
  type DistillationSettings,
  distillationMethod,
  type ImprovedConsistencySettings,
  improvedConsistencyMethod,
} from "./consistency.js";
import { type DdpmSettings, ddpmMethod, type EdmSettings, edmMethod } from "./diffusion.js";
import { type FlowMatchingSettings, flowMatchingMethod } from "./flow-matching.js";
import { type MeanFlowSettings, meanflowMethod } from "./meanflow.js";
import type { Method } from "./method.js";
import type { MethodKind, TrainedMethod } from "./readings.js";
import { type SoFlowSettings, soflowMethod } from "./soflow.js";

export { defaultSampler, longestSampler, type SamplerChoice, samplersAt } from "./choices.js";
export { DDPM_STEPS } from "./diffusion.js";
export type { BatchShape, DrawContext, Method, Networks, RawBatch } from "./method.js";
export { dividesEvenly, firstCount, microBatch, oneTime } from "./method.js";
export { type MethodKind, readingsOf, type TrainedMethod } from "./readings.js";
export type { SoFlowSettings } from "./soflow.js";

/** A method by name with its settings. */
export type MethodSettings =
  | ({ readonly kind: "soflow" } & SoFlowSettings)
  | ({ readonly kind: "meanflow" } & MeanFlowSettings)
  | ({ readonly kind: "flow-matching" } & FlowMatchingSettings)
  | ({ readonly kind: "ddpm" } & DdpmSettings)
  | ({ readonly kind: "edm" } & EdmSettings)
  | ({ readonly kind: "consistency" } & ConsistencySettings)
  | ({ readonly kind: "improved-consistency" } & ImprovedConsistencySettings)
  | ({ readonly kind: "consistency-distillation" } & DistillationSettings);

/** The methods: their names for people, tags of the model card, and papers. */
export const METHODS: Readonly<
  Record<MethodKind, { readonly name: string; readonly tag: string; readonly paper: string }>
> = {
  soflow: { name: "SoFlow", tag: "one-step-generation", paper: "arXiv:2512.15657" },
  meanflow: { name: "MeanFlow", tag: "one-step-generation", paper: "arXiv:2505.13447" },
  "flow-matching": { name: "flow matching", tag: "flow-matching", paper: "arXiv:2210.02747" },
  ddpm: { name: "diffusion (DDPM)", tag: "diffusion", paper: "arXiv:2006.11239" },
  edm: { name: "diffusion (EDM)", tag: "diffusion", paper: "arXiv:2206.00364" },
  consistency: { name: "consistency training", tag: "consistency-model", paper: "arXiv:2303.01469" },
  "improved-consistency": {
    name: "improved consistency training",
    tag: "consistency-model",
    paper: "arXiv:2310.14189",
  },
  "consistency-distillation": { name: "consistency distillation", tag: "consistency-model", paper: "arXiv:2303.01469" },
};

/** The method behind settings. */
export const openMethod = (settings: MethodSettings): Method => {
  switch (settings.kind) {
    case "soflow":
      return soflowMethod(settings);
    case "meanflow":
      return meanflowMethod(settings);
    case "flow-matching":
      return flowMatchingMethod(settings);
    case "ddpm":
      return ddpmMethod(settings);
    case "edm":
      return edmMethod(settings);
    case "consistency":
      return consistencyMethod(settings);
    case "improved-consistency":
      return improvedConsistencyMethod(settings);
    case "consistency-distillation":
      return distillationMethod(settings);
    default:
      return exhaustive(settings);
  }
};

/** What sampling must know of a method. */
export const trainedBy = (settings: MethodSettings): TrainedMethod => {
  switch (settings.kind) {
    case "soflow":
      return { kind: "soflow", path: settings.path, parameterisation: settings.parameterisation };
    case "flow-matching":
      return { kind: "flow-matching", path: settings.path };
    default:
      return { kind: settings.kind };
  }
};
