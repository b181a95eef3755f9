import { z } from "zod";
import { above0, count, type Problem } from "../fields.js";
import {
  consistencyTraining,
  curriculumProblem,
  drawLevel,
  improvedCurriculum,
  levelProbabilities,
} from "../objectives/index.js";
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
} from "./levels.js";

const schema = z.strictObject({
  kind: z.literal("improved-consistency").describe("consistency training without a teacher, arXiv:2310.14189"),
  metric: metric("pseudo_huber"),
  weight: levelWeight("inverse_gap"),
  curriculum: z
    .strictObject({
      s0: count(2).default(10).describe("levels at the start"),
      s1: count(2).default(1280).describe("levels at the end; they double on the way"),
      steps: curriculumSteps(),
    })
    .prefault({})
    .describe("how the number of noise levels grows"),
  noise: z
    .strictObject({
      mean: z.number().default(-1.1).describe("mean of ln σ in training"),
      deviation: above0().default(2).describe("standard deviation of ln σ"),
    })
    .prefault({})
    .describe("which noise levels training looks at"),
});
export type ImprovedConsistencySettings = z.output<typeof schema>;

const problem = ({ curriculum }: ImprovedConsistencySettings, steps: number): Problem | undefined => {
  const unfit = curriculumFits(curriculum, steps);
  const text = unfit ? undefined : curriculumProblem({ ...curriculum, steps: curriculum.steps ?? steps });
  return text === undefined ? unfit : { field: "curriculum", text: `does not fit: ${text}` };
};

/** The improved variant: the teacher is the student, levels double, σ is log-normal. arXiv:2310.14189. */
export const improvedConsistency = defineMethod({
  kind: "improved-consistency",
  name: "improved consistency training",
  paper: "arXiv:2310.14189",
  tag: "consistency-model",
  schema,
  problem,
  times: 1,
  draws: ({ curriculum, noise }: ImprovedConsistencySettings) =>
    levelDraws(({ step, steps }) => {
      const grid = sigmaGrid(improvedCurriculum({ ...curriculum, steps: curriculum.steps ?? steps }, step));
      const probabilities = levelProbabilities(grid, noise);
      return { grid, pick: (u) => drawLevel(probabilities, u) };
    }),
  loss: ({ metric, weight }, { network }) => consistencyTraining({ network: oneTime(network), metric, weight }),
  kept: [],
  outputs: consistencyOutputs,
  guidance: "none",
  samplers: consistencySamplers,
});
