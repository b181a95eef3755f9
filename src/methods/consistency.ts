import { z } from "zod";
import { count } from "../fields.js";
import { consistencyTraining, curriculum as curriculumAt } from "../objectives/index.js";
import { oneTime, sigmaGrid } from "../paths/index.js";
import { defineMethod } from "./define.js";
import {
  consistencyOutputs,
  consistencySamplers,
  curriculumFits,
  curriculumSteps,
  levelDraws,
  levelWeight,
  metric,
  uniformly,
} from "./levels.js";

const schema = z.strictObject({
  kind: z.literal("consistency").describe("consistency training with a teacher's average, arXiv:2303.01469"),
  metric: metric("l2"),
  weight: levelWeight("uniform"),
  curriculum: z
    .strictObject({
      s0: count(2).default(2).describe("s₀: levels at the start"),
      s1: count(2).default(150).describe("s₁: levels at the end"),
      mu0: z.number().gt(0).lt(1).default(0.9).describe("μ₀: decay of the teacher's average at the start"),
      steps: curriculumSteps(),
    })
    .prefault({})
    .describe("how the number of noise levels grows"),
});
export type ConsistencySettings = z.output<typeof schema>;

/** Levels grow from s₀ to s₁ over the curriculum's steps while the target network's memory grows from μ₀. */
const stage = ({ curriculum }: ConsistencySettings, step: number, steps: number) => {
  const length = curriculum.steps ?? steps;
  return curriculumAt({ ...curriculum, steps: length }, Math.min(step, length));
};

/** Consistency training with the published curriculum. arXiv:2303.01469. */
export const consistency = defineMethod({
  kind: "consistency",
  name: "consistency training",
  paper: "arXiv:2303.01469",
  tag: "consistency-model",
  schema,
  problem: ({ curriculum }: ConsistencySettings, steps) => curriculumFits(curriculum, steps),
  times: 1,
  draws: (settings) =>
    levelDraws(({ step, steps }) => {
      const { levels } = stage(settings, step, steps);
      return { grid: sigmaGrid(levels), pick: uniformly(levels) };
    }),
  loss: ({ metric, weight }, { network, target }) =>
    consistencyTraining({ network: oneTime(network), teacher: oneTime(target), metric, weight }),
  targetDecay: (settings, k, steps) => stage(settings, k - 1, steps).decay,
  kept: [],
  outputs: consistencyOutputs,
  guidance: "none",
  samplers: consistencySamplers,
});
