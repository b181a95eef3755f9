import { z } from "zod";
import {
  above0,
  atLeast0,
  logitNormal,
  PARAMETERISATION_CHOICES,
  PATH_CHOICES,
  share,
  spelled,
  TRIG,
} from "../fields.js";
import { soflow as objective } from "../objectives/index.js";
import { middleRatio, PARAMETERISATIONS, PATHS, solution, velocity } from "../paths/index.js";
import { sampleTimes } from "../samplers/index.js";
import { firstCount, partOf } from "./batch.js";
import { defineMethod } from "./define.js";
import { logitNormalTime, perBatch } from "./draws.js";
import { flowMapSamplers } from "./flow-map.js";

const times = z
  .strictObject({
    velocity: logitNormal(-0.2, 1.0, "t of the velocity loss"),
    first: logitNormal(-1.0, 0.8, "s, the end of the consistency loss's interval"),
    second: logitNormal(0.2, 0.8, "t, the start of the consistency loss's interval"),
  })
  .prefault({})
  .describe("where training looks: logit-normal times, 0 is data and 1 is noise");

const middle = z
  .strictObject({
    schedule: z
      .enum(["const", "linear", "cosine", "exponent"])
      .default("exponent")
      .describe("how r moves from initial to final over train.steps; const stays at final"),
    initial: above0().max(1).default(0.1).describe("r at the first step, as a share of the way from t to s"),
    final: above0().max(1).default(0.002).describe("r at the last step"),
  })
  .prefault({})
  .describe("the middle time l = t + (s − t) r of the consistency loss");

const guidance = z
  .strictObject({
    scale: z.number().min(1).default(1).describe("ω: 1 is no guidance, the paper uses 3; needs labels"),
    mix: share().default(1).describe("m: share of the guided velocity in the target, the paper uses 0.25"),
    decayTime: above0().max(1).default(0.8).describe("τ: guidance fades out from this time to noise"),
    labelDropout: z.number().min(0).lt(1).default(0.1).describe("probability that guided training hides a label"),
  })
  .prefault({})
  .describe("classifier-free guidance, taken into training so that sampling stays one evaluation");

const schema = z.strictObject({
  kind: z.literal("soflow").describe("one-step flow by solution functions, arXiv:2512.15657"),
  path: spelled(PATH_CHOICES, TRIG)
    .default("linear")
    .describe("from data to noise: linear, or trig (variance-preserving)"),
  parameterisation: spelled(PARAMETERISATION_CHOICES, TRIG)
    .default("euler")
    .describe("coefficients of the solution function around the network"),
  velocityShare: share()
    .default(0.75)
    .describe("λ: share of a batch that takes the velocity loss, the rest consistency"),
  power: atLeast0().default(1).describe("p of the adaptive weight 1 / (error + ε)^p; 0 is the plain squared error"),
  epsilon: above0().default(0.01).describe("ε of the adaptive weight"),
  times,
  middle,
  guidance,
});

/** SoFlow as training sees it: what the objective needs beside the network. */
export type SoFlowSettings = z.output<typeof schema>;

/** SoFlow. arXiv:2512.15657. */
export const soflow = defineMethod({
  kind: "soflow",
  name: "SoFlow",
  paper: "arXiv:2512.15657",
  tag: "one-step-generation",
  schema,
  problem: ({ guidance: { scale, labelDropout } }: SoFlowSettings) =>
    scale === 1 || labelDropout > 0
      ? undefined
      : {
          field: "guidance.labelDropout",
          text: `is 0; it must be above 0 when objective.guidance.scale, ${scale}, is not 1`,
        },
  times: 2,
  labelDropout: ({ guidance }) => guidance.labelDropout,
  dropsLabels: ({ guidance }) => guidance.scale > 1, // as in the official code
  firstFraction: ({ velocityShare }) => velocityShare,
  draws: ({ times, middle }) => ({
    t: logitNormalTime("time-velocity", times.velocity),
    time1: logitNormalTime("time-first", times.first),
    time2: logitNormalTime("time-second", times.second),
    ratio: perBatch(({ step, steps }) => middleRatio(middle, step, steps)),
  }),
  loss: ({ path, parameterisation, power, epsilon, guidance, velocityShare }, { network, conditional }) => {
    const loss = objective({
      network,
      path: PATHS[path],
      coefficients: PARAMETERISATIONS[parameterisation],
      weight: { power, epsilon },
      ...(conditional && { guidance }),
    });
    return (batch) => {
      const [count, n] = [batch.x_0.dim(0), firstCount(velocityShare, batch.x_0.dim(0))];
      return loss({
        ...(n > 0 && { velocity: partOf(batch, 0, n) }),
        ...(n < count && { consistency: partOf(batch, n, count) }),
      });
    };
  },
  kept: ["path", "parameterisation"],
  outputs: ({ path, parameterisation }, { network, c }) => {
    const coefficients = PARAMETERISATIONS[parameterisation];
    return {
      ode: { slope: (x, t) => velocity(coefficients, x, t, network(x, t, t, c)), times: sampleTimes },
      solution: { f: (x, t, s) => solution(coefficients, x, t, s, network(x, t, s, c)), path: PATHS[path] },
      deviation: 1,
    };
  },
  guidance: "in training",
  samplers: flowMapSamplers("renoise", "solution"),
});
