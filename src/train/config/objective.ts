import { z } from "zod";
import { type Problem, withKind } from "./fields.js";
import { consistency, consistencyProblem, distillation, improvedConsistency } from "./objectives/consistency.js";
import { ddpm, edm, flowMatching } from "./objectives/diffusion.js";
import { meanflow, meanflowProblem } from "./objectives/meanflow.js";
import { soflow, soflowProblem } from "./objectives/soflow.js";

export const objectiveSchema = z
  .preprocess(
    withKind("soflow"),
    z.discriminatedUnion("kind", [
      soflow,
      meanflow,
      flowMatching,
      ddpm,
      edm,
      consistency,
      improvedConsistency,
      distillation,
    ]),
  )
  .prefault({ kind: "soflow" })
  .describe("what training minimises");

export type ObjectiveConfig = z.output<typeof objectiveSchema>;

/** What does not fit in an objective, with the field it is about; `steps` is the length of the run. */
export const objectiveProblem = (objective: ObjectiveConfig, steps: number): Problem | undefined => {
  switch (objective.kind) {
    case "soflow":
      return soflowProblem(objective);
    case "meanflow":
      return meanflowProblem(objective);
    case "consistency":
    case "improved-consistency":
      return consistencyProblem(objective, steps);
    default:
      return undefined;
  }
};
