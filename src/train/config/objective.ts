import { z } from "zod";
import { type Problem, withKind } from "../../fields.js";
import { type MethodSettings, methodOf, methods } from "../../methods/index.js";

/** A member of the union for every method that is known when this is loaded. */
const members = methods().map(({ schema }) => schema) as unknown as [z.ZodObject<{ kind: z.ZodLiteral<string> }>];

export const objectiveSchema = z
  .preprocess(withKind("soflow"), z.discriminatedUnion("kind", members))
  .prefault({ kind: "soflow" })
  .describe("what training minimises") as unknown as z.ZodType<MethodSettings>;

export type ObjectiveConfig = MethodSettings;

/** What does not fit in an objective, with the field it is about; `steps` is the length of the run. */
export const objectiveProblem = (objective: ObjectiveConfig, steps: number): Problem | undefined =>
  methodOf(objective.kind).problem?.(objective, steps);
