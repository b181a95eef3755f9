import { z } from "zod";
import { count, type Problem, text } from "../../fields.js";
import { type DataConfig, imageShape } from "./data.js";

export const evaluationSchema = z
  .strictObject({
    every: count().nullable().default(null).describe("steps between evaluations of samples; null: none"),
    features: text()
      .default("inception")
      .describe("what distances are on: a folder of soflow features train, inception, or a file of its weights"),
    reference: text()
      .nullable()
      .default(null)
      .describe("what samples are compared with, as soflow evaluate --reference; null: the images to learn from"),
    count: count(2).default(1000).describe("samples of an evaluation"),
    cache: text().default("runs/reference-features").describe("where the features of references are kept"),
  })
  .prefault({})
  .describe("how far samples are from data, while training");

export type EvaluationConfig = z.output<typeof evaluationSchema>;

/** Features are of images. */
export const evaluationProblem = ({ every }: EvaluationConfig, data: DataConfig): Problem | undefined => {
  const { channels } = imageShape(data);
  if (every === null || channels === 1 || channels === 3) return undefined;
  return { field: "every", text: `is ${every}; features are taken of images, not of ${data.kind}: it must be null` };
};
