import { z } from "zod";
import { above0, labelDropout } from "../fields.js";
import { denoiser, edm as objective } from "../objectives/index.js";
import { LEVELS, oneTime, sigmaGrid } from "../paths/index.js";
import { defineMethod } from "./define.js";
import { perSample } from "./draws.js";

const schema = z.strictObject({
  kind: z.literal("edm").describe("diffusion with EDM's preconditioning, arXiv:2206.00364"),
  noise: z
    .strictObject({
      mean: z.number().default(-1.2).describe("mean of ln σ in training"),
      deviation: above0().default(1.2).describe("standard deviation of ln σ"),
    })
    .prefault({})
    .describe("noise levels of training"),
  labelDropout: labelDropout(),
});
export type EdmSettings = z.output<typeof schema>;

/** EDM. The network's time is ln σ / 4. arXiv:2206.00364. */
export const edm = defineMethod({
  kind: "edm",
  name: "diffusion (EDM)",
  paper: "arXiv:2206.00364",
  tag: "diffusion",
  schema,
  times: 1,
  labelDropout: (settings: EdmSettings) => settings.labelDropout,
  draws: ({ noise }) => ({
    sigma: perSample(
      () =>
        ({ normal }) =>
          Math.exp(noise.mean + noise.deviation * normal("time")),
    ),
  }),
  loss: (_, { network }) => objective({ network: oneTime(network) }),
  kept: [],
  outputs: (_, { network, guided }) => {
    const D = guided(denoiser(oneTime(network)));
    return {
      // dx/dσ = (x − D(x, σ)) / σ, from the largest σ to the smallest
      ode: { slope: (x, sigma) => x.sub(D(x, sigma)).div(sigma), times: (steps) => sigmaGrid(steps + 1) },
      denoiser: D,
      deviation: LEVELS.largest,
    };
  },
  guidance: "in sampling",
  samplers: {
    usual: { sampler: "edm", steps: 18 },
    at: (n) => [{ sampler: "euler", steps: n }],
    long: (n) => ({ sampler: "edm", steps: Math.max(1, Math.floor((n + 1) / 2)) }), // 2 N − 1 evaluations
  },
});
