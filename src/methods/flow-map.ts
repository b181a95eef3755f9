import { PATHS } from "../paths/index.js";
import { type Readings, type SamplerName, sampleTimes } from "../samplers/index.js";
import type { MethodSamplers, TrainedNetwork } from "./define.js";

/** Of flow maps f(x, t, s), which have two ways of taking n steps, the first the usual one. */
export const flowMapSamplers = (first: SamplerName, second: SamplerName): MethodSamplers => ({
  usual: { sampler: first, steps: 1 },
  at: (n) => [first, second].slice(0, n === 1 ? 1 : 2).map((sampler) => ({ sampler, steps: n })), // one step is the same by both
});

/** Of a network that predicts the average velocity u(z, r, t), which carries z from t to r: f = z − (t − r) u. */
export const averageVelocityOutputs = (_: unknown, { network, c }: TrainedNetwork): Readings => ({
  ode: { slope: (z, t) => network(z, t, t, c), times: sampleTimes },
  solution: { f: (z, t, r) => z.sub(t.sub(r).mul(network(z, t, r, c))), path: PATHS.linear },
  deviation: 1,
});
