import { z } from "zod";
import { above0, atLeast0, logitNormal, type Problem, share } from "../fields.js";
import { type MeanFlowOptions, meanFlow, meanFlowVelocity, pooled } from "../objectives/index.js";
import { PATHS, logitNormal as timeOf } from "../paths/index.js";
import { firstCount, partOf } from "./batch.js";
import { defineMethod } from "./define.js";
import { perSample, type SampleNoise } from "./draws.js";
import { averageVelocityOutputs, flowMapSamplers } from "./flow-map.js";

const schema = z.strictObject({
  kind: z.literal("meanflow").describe("average velocities with an exact JVP, arXiv:2505.13447"),
  velocityShare: share().default(0.75).describe("share of a batch that takes r = t"),
  derivative: z
    .enum(["whole", "needed"])
    .default("whole")
    .describe(
      "samples that the JVP runs on: the whole batch, as in the official code, or those with r < t; same result",
    ),
  power: atLeast0().default(1).describe("p of the adaptive weight 1 / (error + ε)^p; 0 is the plain squared error"),
  epsilon: above0().default(0.01).describe("ε of the adaptive weight"),
  times: z
    .strictObject({
      sampler: z
        .enum(["ordered", "separate"])
        .default("ordered")
        .describe("ordered: two draws, the larger is t; separate: t and r each from its own, r at most t"),
      t: logitNormal(-0.4, 1, "the draw for t"),
      r: logitNormal(-0.4, 1, "the draw for r"),
    })
    .prefault({})
    .describe("where training looks: logit-normal times, 0 is data and 1 is noise"),
  guidance: z
    .strictObject({
      omega: above0().default(1).describe("ω: weight of the sample's own velocity"),
      kappa: z.number().min(0).lt(1).default(0).describe("κ: weight of the network's velocity under the label"),
      start: share().default(0).describe("guidance acts for t from here"),
      end: share().default(1).describe("guidance acts for t up to here"),
      labelDropout: z.number().min(0).lt(1).default(0.1).describe("probability that guided training hides a label"),
    })
    .prefault({})
    .describe("guidance in training, with effective scale ω / (1 − κ)"),
});
export type MeanFlowSettings = z.output<typeof schema>;

const isGuided = ({ guidance: { omega, kappa } }: MeanFlowSettings): boolean => omega !== 1 || kappa !== 0;

/** ω and κ must make an effective scale ω / (1 − κ) of at least 1. */
const problem = (settings: MeanFlowSettings): Problem | undefined => {
  const { omega, kappa, start, end, labelDropout } = settings.guidance;
  if (omega + kappa < 1)
    return {
      field: "guidance.omega",
      text: `is ${omega} with kappa ${kappa}, an effective scale ω / (1 − κ) of ${Number((omega / (1 - kappa)).toPrecision(3))}; omega + kappa must be at least 1`,
    };
  if (start > end) return { field: "guidance.start", text: `is ${start}; it must be at most guidance.end, ${end}` };
  if (isGuided(settings) && labelDropout === 0)
    return { field: "guidance.labelDropout", text: "is 0; guided training needs it above 0" };
  return undefined;
};

/**
 * t and r of one sample. ordered: of two draws the larger is t (ImageNet); separate: each from its own, r = min(t, r)
 * (CIFAR-10).
 */
const drawTimes = ({ sampler, t, r }: MeanFlowSettings["times"], { normal }: SampleNoise): { t: number; r: number } => {
  const [a, b] = [timeOf(t, normal("time-first")), timeOf(r, normal("time-second"))];
  return { t: sampler === "ordered" ? Math.max(a, b) : a, r: Math.min(a, b) };
};

/** MeanFlow. arXiv:2505.13447. */
export const meanflow = defineMethod({
  kind: "meanflow",
  name: "MeanFlow",
  paper: "arXiv:2505.13447",
  tag: "one-step-generation",
  schema,
  problem,
  times: 2,
  labelDropout: ({ guidance }: MeanFlowSettings) => guidance.labelDropout,
  dropsLabels: isGuided,
  firstFraction: ({ velocityShare }) => velocityShare,
  draws: ({ times, velocityShare }) => ({
    t: perSample(() => (noise) => drawTimes(times, noise).t),
    r: perSample(() => (noise, j, batch) => {
      const { t, r } = drawTimes(times, noise);
      return j < firstCount(velocityShare, batch) ? t : r;
    }),
  }),
  loss: ({ power, epsilon, guidance, velocityShare, derivative }, { network, conditional }) => {
    const { omega, kappa, start, end } = guidance;
    const options: MeanFlowOptions = {
      network,
      path: PATHS.linear,
      weight: { power, epsilon },
      ...(conditional && { guidance: { omega, kappa, interval: [start, end] } }),
    };
    return (batch) => {
      const [count, equal] = [batch.x_0.dim(0), firstCount(velocityShare, batch.x_0.dim(0))];
      if (derivative === "whole" || equal === 0) return meanFlow(options)(batch);
      const first = meanFlowVelocity(options)(partOf(batch, 0, equal));
      if (equal === count) return first;
      return pooled(first, equal, meanFlow(options)(partOf(batch, equal, count)), count - equal);
    };
  },
  kept: [],
  outputs: averageVelocityOutputs,
  guidance: "in training",
  samplers: flowMapSamplers("solution", "renoise"),
});
