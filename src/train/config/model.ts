import { z } from "zod";
import { oneOf } from "../../errors.js";
import { DIT_SIZES, type DiTName } from "../../models/dit.js";
import { count } from "./fields.js";

export const MODEL_NAMES = Object.keys(DIT_SIZES) as [DiTName, ...DiTName[]];

/** A published size by name, or the four numbers of one's own. */
export type ModelConfig =
  | { readonly name: DiTName }
  | { readonly kind: "mlp"; readonly width: number; readonly depth: number }
  | { readonly patch: number; readonly width: number; readonly depth: number; readonly heads: number };

const SIZES = ["patch", "width", "depth", "heads"] as const;

const fields = z.strictObject({
  kind: z.enum(["dit", "mlp"]).optional().describe("dit: a transformer over patches (the default); mlp: for points"),
  name: z.enum(MODEL_NAMES).optional().describe("a published size, in place of the four numbers"),
  patch: count().optional().describe("side of a patch, in pixels; one patch is one token"),
  width: count().optional().describe("numbers per token; a multiple of heads, and of 4"),
  depth: count().optional().describe("number of transformer blocks"),
  heads: count().optional().describe("attention heads per block"),
});

export const modelSchema = fields
  .transform((model, context): ModelConfig => {
    const given = SIZES.filter((size) => model[size] !== undefined);
    const missing = SIZES.filter((size) => model[size] === undefined);
    const refuse = (path: string, message: string) => {
      context.addIssue({ code: "custom", message, path: path === "" ? [] : [path] });
      return z.NEVER;
    };
    if (model.name !== undefined) {
      if (given.length === 0) return { name: model.name };
      return refuse(
        given[0]!,
        `model.${given[0]} is given besides model.name; keep one of the two (--set 'model={name: ${model.name}}' replaces the section)`,
      );
    }
    const { patch, width, depth, heads } = model;
    if (model.kind === "mlp") {
      const foreign = (["patch", "heads"] as const).find((size) => model[size] !== undefined);
      if (foreign) return refuse(foreign, `model.${foreign} is given; an mlp has width and depth only`);
      if (width !== undefined && depth !== undefined) return { kind: "mlp", width, depth };
      return refuse("", `model.${width === undefined ? "width" : "depth"} is missing; an mlp needs both`);
    }
    if (patch !== undefined && width !== undefined && depth !== undefined && heads !== undefined)
      return { patch, width, depth, heads };
    if (given.length > 0) return refuse("", `model.${missing[0]} is missing: ${fields.shape[missing[0]!].description}`);
    return refuse("", `model is empty; it needs ${SIZES.join(", ")}, or a name: ${oneOf(MODEL_NAMES)}`);
  })
  .describe("the network: a DiT, or an MLP for points");

/** The numbers behind a model section. */
export const modelSizes = (model: ModelConfig): Exclude<ModelConfig, { name: DiTName }> =>
  "name" in model ? DIT_SIZES[model.name] : model;
