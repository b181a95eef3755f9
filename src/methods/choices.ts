import { exhaustive } from "../errors.js";
import type { SamplerName } from "../samplers/index.js";
import type { MethodKind } from "./readings.js";

/** A sampler by name and its number of steps. */
export type SamplerChoice = { readonly sampler: SamplerName; readonly steps: number };

/** How a model is drawn from where nothing is said. */
export const defaultSampler = (kind: MethodKind): SamplerChoice => {
  switch (kind) {
    case "soflow":
      return { sampler: "renoise", steps: 1 };
    case "meanflow":
      return { sampler: "solution", steps: 1 };
    case "flow-matching":
      return { sampler: "heun", steps: 25 };
    case "ddpm":
      return { sampler: "ancestral", steps: 100 };
    case "edm":
      return { sampler: "edm", steps: 18 };
    case "consistency":
    case "improved-consistency":
    case "consistency-distillation":
      return { sampler: "multistep", steps: 1 };
    default:
      return exhaustive(kind);
  }
};

/** How a method of many steps is drawn from with about n evaluations; undefined for methods of few. */
export const longestSampler = (kind: MethodKind, n: number): SamplerChoice | undefined => {
  switch (kind) {
    case "flow-matching":
      return { sampler: "heun", steps: Math.max(1, Math.floor(n / 2)) };
    case "ddpm":
      return { sampler: "ancestral", steps: n };
    case "edm":
      return { sampler: "edm", steps: Math.max(1, Math.floor((n + 1) / 2)) }; // 2 N − 1 evaluations
    default:
      return undefined;
  }
};

/** Samplers that spend exactly n network evaluations on a sample, the usual one of the method first. */
export const samplersAt = (kind: MethodKind, n: number): readonly SamplerChoice[] => {
  switch (kind) {
    case "soflow":
    case "meanflow": {
      const both = [
        { sampler: "renoise", steps: n },
        { sampler: "solution", steps: n },
      ] as const;
      if (n === 1) return [both[kind === "soflow" ? 0 : 1]!];
      return kind === "soflow" ? both : both.toReversed();
    }
    case "flow-matching":
    case "edm":
      return [{ sampler: "euler", steps: n }];
    case "ddpm":
      return [{ sampler: "ddim", steps: n }];
    case "consistency":
    case "improved-consistency":
    case "consistency-distillation":
      return [{ sampler: "multistep", steps: n }];
    default:
      return exhaustive(kind);
  }
};
