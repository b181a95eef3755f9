import { z } from "zod";
import { LIMITS } from "../../checks/limits.js";
import { exhaustive, oneOf } from "../../errors.js";
import { count, share } from "../../fields.js";
import { DIT_SIZES, type DiTName } from "../../models/dit.js";
import { UNET_SIZES, type UNetName } from "../../models/unet.js";

const SIZES = { ...DIT_SIZES, ...UNET_SIZES };
export const MODEL_NAMES = Object.keys(SIZES) as [DiTName | UNetName, ...(DiTName | UNetName)[]];

type Mlp = { readonly kind: "mlp"; readonly width: number; readonly depth: number };
type UNet = {
  readonly kind: "unet";
  readonly width: number;
  readonly depth: number;
  readonly multipliers: readonly number[];
  readonly attention: readonly number[];
  readonly dropout: number;
  readonly augment: number;
};
type DiT = { readonly patch: number; readonly width: number; readonly depth: number; readonly heads: number };
/** A published network by name, or one's own in numbers. */
export type ModelConfig = { readonly name: DiTName | UNetName } | Mlp | UNet | DiT;

const fields = z.strictObject({
  kind: z
    .enum(["dit", "mlp", "unet"])
    .optional()
    .describe("dit: a transformer over patches (the default); unet: convolutions; mlp: for points"),
  name: z.enum(MODEL_NAMES).optional().describe("a published network, in place of the numbers"),
  patch: count(1, LIMITS.imageSize).optional().describe("side of a patch, in pixels; one patch is one token"),
  width: count(1, LIMITS.width)
    .optional()
    .describe("numbers per token, a multiple of heads and of 4; for a unet channels of the first layer"),
  depth: count(1, LIMITS.depth)
    .optional()
    .describe("number of transformer blocks; for a unet residual blocks per level"),
  heads: count(1, LIMITS.heads).optional().describe("attention heads per block"),
  multipliers: z
    .array(count(1, LIMITS.multiplier))
    .min(1)
    .max(LIMITS.levels)
    .optional()
    .describe("channels of a unet's levels, in multiples of width"),
  attention: z
    .array(count(1, LIMITS.imageSize))
    .max(LIMITS.levels)
    .optional()
    .describe("sides of the levels of a unet that have attention; default none"),
  dropout: share().optional().describe("share of a unet's hidden numbers that training drops; default 0"),
  augment: count(0, LIMITS.augment)
    .optional()
    .describe("numbers that tell a unet how an image was augmented; default 0"),
});
type Fields = z.output<typeof fields>;
type Field = Exclude<keyof Fields, "kind" | "name">;

/** What each kind must be given, and what it may be given. */
const NEEDS = {
  dit: { needed: ["patch", "width", "depth", "heads"], also: [] },
  mlp: { needed: ["width", "depth"], also: [] },
  unet: { needed: ["width", "depth", "multipliers"], also: ["attention", "dropout", "augment"] },
} as const satisfies Record<string, { needed: readonly Field[]; also: readonly Field[] }>;
const ALL_FIELDS = Object.keys(fields.shape).filter((field) => field !== "kind" && field !== "name") as Field[];

type Refusal = { readonly field: Field | undefined; readonly message: string };

/** Why a section of this kind is no network. */
const problemOf = (model: Fields, kind: keyof typeof NEEDS): Refusal | undefined => {
  const { needed, also } = NEEDS[kind];
  const given = ALL_FIELDS.filter((field) => model[field] !== undefined);
  if (given.length === 0)
    return {
      field: undefined,
      message: `model is empty; it needs ${needed.join(", ")}, or a name: ${oneOf(MODEL_NAMES)}`,
    };
  const known: readonly Field[] = [...needed, ...also];
  const foreign = given.find((field) => !known.includes(field));
  if (foreign)
    return {
      field: foreign,
      message: `model.${foreign} is given; ${kind === "unet" ? "a" : "an"} ${kind} has ${known.join(", ")} only`,
    };
  const missing = needed.find((field) => model[field] === undefined);
  return missing && { field: undefined, message: `model.${missing} is missing: ${fields.shape[missing].description}` };
};

/** A published name beside numbers of one's own. */
const namedProblem = ({ name, ...model }: Fields): Refusal | undefined => {
  const field = ALL_FIELDS.find((size) => model[size] !== undefined);
  const replaces = `(--set 'model={name: ${name}}' replaces the section)`;
  return field && { field, message: `model.${field} is given besides model.name; keep one of the two ${replaces}` };
};

const chosen = (model: Required<Fields>, kind: keyof typeof NEEDS): ModelConfig => {
  const { patch, width, depth, heads, multipliers, attention = [], dropout = 0, augment = 0 } = model;
  switch (kind) {
    case "dit":
      return { patch, width, depth, heads };
    case "mlp":
      return { kind, width, depth };
    case "unet":
      return { kind, width, depth, multipliers, attention, dropout, augment };
    default:
      return exhaustive(kind);
  }
};

export const modelSchema = fields
  .transform((model, context): ModelConfig => {
    const kind = model.kind ?? "dit";
    const problem = model.name === undefined ? problemOf(model, kind) : namedProblem(model);
    if (!problem) return model.name === undefined ? chosen(model as Required<Fields>, kind) : { name: model.name };
    context.addIssue({ code: "custom", message: problem.message, path: problem.field ? [problem.field] : [] });
    return z.NEVER;
  })
  .describe("the network: a DiT, a U-Net, or an MLP for points");

/** The numbers behind a model section. */
export const modelSizes = (model: ModelConfig): Exclude<ModelConfig, { name: DiTName | UNetName }> =>
  "name" in model ? SIZES[model.name] : model;
