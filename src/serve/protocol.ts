import { z } from "@hono/zod-openapi";

/** What is said over HTTP; the web app imports the types of this file. */

/** Most images, steps, noises of a mixture and pixels a side that the schema knows; a server may allow fewer. */
export const LIMITS = { count: 1024, steps: 256, parts: 16, scale: 16, seed: Number.MAX_SAFE_INTEGER } as const;

const seed = z.number().int().min(0).max(LIMITS.seed);
const label = z.number().int().min(0).max(1_000_000);
const steps = z.number().int().min(1).max(LIMITS.steps);
const model = z.string().min(1).max(200);

const noisePart = z
  .strictObject({
    seed,
    index: z.number().int().min(0).max(1_000_000).default(0).openapi({ description: "which sample of the seed" }),
    weight: z.number().min(-1e6).max(1e6).default(1),
  })
  .openapi("NoisePart");

const imageRequest = z
  .strictObject({
    label: label.optional(),
    noise: z
      .array(noisePart)
      .min(1)
      .max(LIMITS.parts)
      .refine((parts) => parts.some(({ weight }) => weight !== 0), "one weight must differ from 0")
      .openapi({ description: "noises to mix; the result is scaled to be standard normal, whatever the weights" }),
  })
  .openapi("ImageRequest");

const scale = z.number().int().min(1).max(LIMITS.scale);

export const generateRequest = z
  .strictObject({
    model: model.optional().openapi({ description: "name of a served model; by default the first" }),
    count: z.number().int().min(1).max(LIMITS.count).optional().openapi({ description: "images; by default 1" }),
    seed: seed.optional().openapi({ description: "by default 0; image i of a seed is the same in every request" }),
    labels: z
      .array(label)
      .min(1)
      .max(LIMITS.count)
      .optional()
      .openapi({ description: "image i has label i mod length; by default all labels in turn" }),
    images: z
      .array(imageRequest)
      .min(1)
      .max(LIMITS.count)
      .optional()
      .openapi({ description: "in place of count, seed and labels: each image with its own noise" }),
    steps: steps.optional().openapi({ description: "of the sampler; by default the method's, 1 for one-step models" }),
    scale: scale.default(1).openapi({ description: "each pixel becomes scale × scale in PNG answers" }),
  })
  .refine(
    ({ images, count, seed, labels }) =>
      images === undefined || (count === undefined && seed === undefined && labels === undefined),
    "images cannot be given together with count, seed or labels",
  )
  .openapi("GenerateRequest", {
    not: { required: ["images"], anyOf: ["count", "seed", "labels"].map((name) => ({ required: [name] })) },
  });
export type GenerateRequest = z.input<typeof generateRequest>;
export type ParsedGenerate = z.output<typeof generateRequest>;

const png = z
  .string()
  .min(1)
  .max(8_000_000)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, "must be base64")
  .openapi({
    description: "a PNG, JPEG or WebP file in base64; it is resized to the model's size",
    examples: ["iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="],
  });

export const editRequest = z
  .strictObject({
    model: model.optional(),
    image: png,
    mask: png.optional().openapi({ description: "white where the image may change, black where it stays" }),
    strength: z
      .number()
      .gt(0)
      .max(1)
      .default(0.5)
      .openapi({ description: "how much noise is put on the image: the time t; at 1 nothing of it is left" }),
    label: label.optional(),
    seed: seed.default(0),
    steps: steps.default(1).openapi({ description: "rounds; with a mask more than one blend its edge better" }),
    scale: scale.default(1),
  })
  .openapi("EditRequest");
export type EditRequest = z.input<typeof editRequest>;
export type ParsedEdit = z.output<typeof editRequest>;

export const modelInfo = z
  .object({
    name: z.string(),
    method: z.string().openapi({ description: "soflow, meanflow, …" }),
    methodName: z.string(),
    size: z.number().int().openapi({ description: "pixels a side" }),
    channels: z.number().int(),
    classes: z.array(z.string()),
    parameters: z.number().int(),
    steps: z.number().int().openapi({ description: "steps where none are asked for" }),
    canEdit: z.boolean(),
    canExport: z
      .boolean()
      .openapi({ description: "whether a page can have it as an exported folder, to draw by itself" }),
  })
  .openapi("Model");
export type ModelInfo = z.infer<typeof modelInfo>;

export const modelList = z
  .object({ models: z.array(modelInfo), provider: z.string(), maxCount: z.number().int() })
  .openapi("Models");
export type ModelList = z.infer<typeof modelList>;

export const generated = z
  .object({
    model: z.string(),
    size: z.number().int(),
    channels: z.number().int(),
    evaluations: z.number().int().openapi({ description: "network evaluations for each image" }),
    milliseconds: z.number().openapi({ description: "in the server, waiting included" }),
    images: z.array(z.object({ label: z.number().int(), png: z.string() })),
  })
  .openapi("Generated");
export type GeneratedBody = z.infer<typeof generated>;

export const failure = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi("Error");

export const runInfo = z
  .object({
    name: z.string(),
    method: z.string(),
    step: z.number().int().openapi({ description: "last step with metrics" }),
    active: z.boolean().openapi({ description: "whether a process is training it" }),
    samples: z.array(z.number().int()).openapi({ description: "steps that have a picture of samples" }),
  })
  .openapi("Run");
export type RunInfo = z.infer<typeof runInfo>;
export const runList = z.object({ runs: z.array(runInfo) }).openapi("Runs");

export const runMetrics = z
  .object({
    /** Columns of equal length; null where a step has no such number. */
    steps: z.array(z.number()),
    values: z.record(z.string(), z.array(z.number().nullable())),
  })
  .openapi("Metrics");
export type RunMetrics = z.infer<typeof runMetrics>;
