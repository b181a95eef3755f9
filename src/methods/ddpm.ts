import { z } from "zod";
import { labelDropout } from "../fields.js";
import { alphaBars, ddpm as objective } from "../objectives/index.js";
import { oneTime } from "../paths/index.js";
import { defineMethod } from "./define.js";
import { perSample, type SampleNoise } from "./draws.js";

/** Steps of the forward process that DDPM is trained with. */
export const DDPM_STEPS = 1000;

const schema = z.strictObject({
  kind: z.literal("ddpm").describe("diffusion that predicts noise, 1,000 steps, arXiv:2006.11239"),
  labelDropout: labelDropout(),
});
export type DdpmSettings = z.output<typeof schema>;

const stepOf = ({ integer }: SampleNoise): number => integer("time", 1, DDPM_STEPS);

/** DDPM. The network's time is the step. arXiv:2006.11239. */
export const ddpm = defineMethod({
  kind: "ddpm",
  name: "diffusion (DDPM)",
  paper: "arXiv:2006.11239",
  tag: "diffusion",
  schema,
  times: 1,
  labelDropout: (settings: DdpmSettings) => settings.labelDropout,
  draws: () => ({
    step: perSample(() => stepOf),
    alphaBar: perSample(() => {
      const bars = alphaBars(DDPM_STEPS);
      return (noise) => Number(bars[stepOf(noise)]);
    }),
  }),
  loss: (_, { network }) => objective({ network: oneTime(network) }),
  kept: [],
  outputs: (_, { network, guided }) => ({
    noise: { eps: guided(oneTime(network)), alphaBars: alphaBars(DDPM_STEPS) },
    deviation: 1,
  }),
  guidance: "in sampling",
  samplers: {
    usual: { sampler: "ancestral", steps: 100 },
    at: (n) => [{ sampler: "ddim", steps: n }],
    long: (n) => ({ sampler: "ancestral", steps: n }),
  },
});
