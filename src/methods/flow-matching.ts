import { z } from "zod";
import { labelDropout, logitNormal, PATH_CHOICES, spelled, TRIG } from "../fields.js";
import { flowMatching as objective } from "../objectives/index.js";
import { oneTime, PATHS } from "../paths/index.js";
import { sampleTimes } from "../samplers/index.js";
import { defineMethod } from "./define.js";
import { logitNormalTime, perSample } from "./draws.js";

const schema = z.strictObject({
  kind: z.literal("flow-matching").describe("velocities of straight paths, arXiv:2210.02747"),
  path: spelled(PATH_CHOICES, TRIG).default("linear").describe("from data to noise: linear, or trig"),
  times: z
    .strictObject({
      sampler: z.enum(["uniform", "logit-normal"]).default("logit-normal").describe("how t is drawn"),
      distribution: logitNormal(0, 1, "the draw for logit-normal times"),
    })
    .prefault({})
    .describe("where training looks: 0 is data and 1 is noise"),
  labelDropout: labelDropout(),
});
export type FlowMatchingSettings = z.output<typeof schema>;

/** Flow matching. arXiv:2210.02747. */
export const flowMatching = defineMethod({
  kind: "flow-matching",
  name: "flow matching",
  paper: "arXiv:2210.02747",
  tag: "flow-matching",
  schema,
  times: 1,
  labelDropout: (settings: FlowMatchingSettings) => settings.labelDropout,
  draws: ({ times }) => ({
    t:
      times.sampler === "uniform"
        ? perSample(
            () =>
              ({ uniform }) =>
                uniform("time"),
          )
        : logitNormalTime("time", times.distribution),
  }),
  loss: ({ path }, { network }) => objective({ network: oneTime(network), path: PATHS[path] }),
  kept: ["path"],
  outputs: (_, { network, guided }) => ({
    ode: { slope: guided(oneTime(network)), times: sampleTimes },
    deviation: 1,
  }),
  guidance: "in sampling",
  samplers: {
    usual: { sampler: "heun", steps: 25 },
    at: (n) => [{ sampler: "euler", steps: n }],
    long: (n) => ({ sampler: "heun", steps: Math.max(1, Math.floor(n / 2)) }),
  },
});
