import { z } from "zod";
import { curriculumProblem } from "../../../objectives/index.js";
import { above0, count, type Problem, text } from "../fields.js";

const metric = (usual: "l2" | "pseudo_huber") =>
  z.enum(["l2", "l1", "pseudo_huber"]).default(usual).describe("distance between the two points of a pair");
const levelWeight = (usual: "uniform" | "inverse_gap") =>
  z
    .enum(["uniform", "karras", "inverse_gap"])
    .default(usual)
    .describe("weight of a level: 1, 1/σ² + 1/σ_d², or 1 / (σ_n − σ_{n+1})");
const curriculumSteps = () =>
  count().nullable().default(null).describe("steps over which the curriculum runs; null: all of train.steps");

export const consistency = z.strictObject({
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

export const improvedConsistency = z.strictObject({
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

export const distillation = z.strictObject({
  kind: z.literal("consistency-distillation").describe("consistency with a trained EDM model, arXiv:2303.01469"),
  teacher: text().describe("folder of the EDM model or run that is distilled, relative to the working directory"),
  metric: metric("l2"),
  weight: levelWeight("uniform"),
  levels: count(2).default(18).describe("number of noise levels"),
  decay: z.number().min(0).lt(1).default(0.95).describe("decay of the average that gives the target"),
});

/** A curriculum must rise, and fit into the run. */
export const consistencyProblem = (
  { kind, curriculum }: z.output<typeof consistency> | z.output<typeof improvedConsistency>,
  steps: number,
): Problem | undefined => {
  if (curriculum.s1 < curriculum.s0)
    return { field: "curriculum.s1", text: `is ${curriculum.s1}; it must be at least s0, ${curriculum.s0}` };
  if (curriculum.steps !== null && curriculum.steps > steps)
    return {
      field: "curriculum.steps",
      text: `is ${curriculum.steps}, longer than the run of ${steps} steps; it must be at most train.steps, or null`,
    };
  if (kind === "consistency") return undefined;
  const problem = curriculumProblem({ ...curriculum, steps: curriculum.steps ?? steps });
  return problem === undefined ? undefined : { field: "curriculum", text: `does not fit: ${problem}` };
};
