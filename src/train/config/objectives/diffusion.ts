import { z } from "zod";
import { above0, logitNormal, PATH_CHOICES, spelled, TRIG } from "../fields.js";

const hiding = () =>
  z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe("probability that training hides a label, so that sampling can be guided");

export const flowMatching = z.strictObject({
  kind: z.literal("flow-matching").describe("velocities of straight paths, arXiv:2210.02747"),
  path: spelled(PATH_CHOICES, TRIG).default("linear").describe("from data to noise: linear, or trig"),
  times: z
    .strictObject({
      sampler: z.enum(["uniform", "logit-normal"]).default("logit-normal").describe("how t is drawn"),
      distribution: logitNormal(0, 1, "the draw for logit-normal times"),
    })
    .prefault({})
    .describe("where training looks: 0 is data and 1 is noise"),
  labelDropout: hiding(),
});

export const ddpm = z.strictObject({
  kind: z.literal("ddpm").describe("diffusion that predicts noise, 1,000 steps, arXiv:2006.11239"),
  labelDropout: hiding(),
});

export const edm = z.strictObject({
  kind: z.literal("edm").describe("diffusion with EDM's preconditioning, arXiv:2206.00364"),
  noise: z
    .strictObject({
      mean: z.number().default(-1.2).describe("mean of ln σ in training"),
      deviation: above0().default(1.2).describe("standard deviation of ln σ"),
    })
    .prefault({})
    .describe("noise levels of training"),
  labelDropout: hiding(),
});
