import type { SamplerName } from "../samplers/index.js";
import type { MethodSamplers } from "./define.js";

/** Of flow maps f(x, t, s), which have two ways of taking n steps, the first the usual one. */
export const flowMapSamplers = (first: SamplerName, second: SamplerName): MethodSamplers => ({
  usual: { sampler: first, steps: 1 },
  at: (n) => [first, second].slice(0, n === 1 ? 1 : 2).map((sampler) => ({ sampler, steps: n })), // one step is the same by both
});

/** Of consistency functions. */
export const consistencySamplers: MethodSamplers = {
  usual: { sampler: "multistep", steps: 1 },
  at: (n) => [{ sampler: "multistep", steps: n }],
};
