import { z } from "zod";
import { count, text } from "../fields.js";
import { consistencyDistillation as objective } from "../objectives/index.js";
import { oneTime, sigmaGrid } from "../paths/index.js";
import { defineMethod } from "./define.js";
import { consistencyOutputs, consistencySamplers, levelDraws, levelWeight, metric, uniformly } from "./levels.js";

const schema = z.strictObject({
  kind: z.literal("consistency-distillation").describe("consistency with a trained EDM model, arXiv:2303.01469"),
  teacher: text().describe("folder of the EDM model or run that is distilled, relative to the working directory"),
  metric: metric("l2"),
  weight: levelWeight("uniform"),
  levels: count(2).default(18).describe("number of noise levels"),
  decay: z.number().min(0).lt(1).default(0.95).describe("decay of the average that gives the target"),
});
export type DistillationSettings = z.output<typeof schema>;

/** Distillation of a trained EDM model. arXiv:2303.01469. */
export const consistencyDistillation = defineMethod({
  kind: "consistency-distillation",
  name: "consistency distillation",
  paper: "arXiv:2303.01469",
  tag: "consistency-model",
  schema,
  times: 1,
  draws: ({ levels }: DistillationSettings) => levelDraws(() => ({ grid: sigmaGrid(levels), pick: uniformly(levels) })),
  loss: ({ metric, weight }, { network, target, teacher }) => {
    if (!teacher) throw new Error("distillation needs a teacher");
    return objective({ network: oneTime(network), target: oneTime(target), teacher, metric, weight });
  },
  targetDecay: ({ decay }) => decay,
  teacher: ({ teacher }) => teacher,
  kept: [],
  outputs: consistencyOutputs,
  guidance: "none",
  samplers: consistencySamplers,
});
