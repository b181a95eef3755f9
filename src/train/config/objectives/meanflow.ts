import { z } from "zod";
import { above0, atLeast0, logitNormal, type Problem, share } from "../fields.js";

export const meanflow = z.strictObject({
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

/** ω and κ must make an effective scale ω / (1 − κ) of at least 1. */
export const meanflowProblem = ({ guidance }: z.output<typeof meanflow>): Problem | undefined => {
  const { omega, kappa, start, end, labelDropout } = guidance;
  if (omega + kappa < 1)
    return {
      field: "guidance.omega",
      text: `is ${omega} with kappa ${kappa}, an effective scale ω / (1 − κ) of ${Number((omega / (1 - kappa)).toPrecision(3))}; omega + kappa must be at least 1`,
    };
  if (start > end) return { field: "guidance.start", text: `is ${start}; it must be at most guidance.end, ${end}` };
  if ((omega !== 1 || kappa !== 0) && labelDropout === 0)
    return { field: "guidance.labelDropout", text: "is 0; guided training needs it above 0" };
  return undefined;
};
