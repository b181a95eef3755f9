import { z } from "zod";
import { LIMITS } from "../checks/limits.js";
import { messageOf, UserError } from "../errors.js";
import { count, withKind } from "../fields.js";
import { methods, type TrainedMethod } from "../methods/index.js";
import { checkNetwork, type NetworkConfig } from "../models/network.js";
import { firstProblem } from "./config/explain.js";

/** What `config.json` of a model folder holds: all that is needed to sample, beside the weights. */
export type ModelDescription = {
  readonly format: "soflow";
  readonly version: 1;
  readonly network: NetworkConfig;
  readonly method: TrainedMethod;
  /** Names of the labels, in order; empty for an unconditional model. */
  readonly classes: readonly string[];
};

/** The version of the format that is written and read. */
export const DESCRIPTION_VERSION = 1;

const common = {
  imageSize: count(1, LIMITS.imageSize),
  channels: count(1, LIMITS.channels),
  width: count(1, LIMITS.width),
  depth: count(1, LIMITS.depth),
  classes: count(0, LIMITS.classes),
  times: z.literal([1, 2]).optional(),
  nullLabel: z.boolean(),
};

const dit = z.object({
  kind: z.literal("dit"),
  ...common,
  patch: count(1, LIMITS.imageSize),
  heads: count(1, LIMITS.heads),
});

const mlp = z.object({ kind: z.literal("mlp"), ...common });

const unet = z.object({
  kind: z.literal("unet"),
  ...common,
  multipliers: z.array(count(1, LIMITS.multiplier)).min(1).max(LIMITS.levels),
  attention: z.array(count(1, LIMITS.imageSize)).max(LIMITS.levels),
  dropout: z.number().min(0).max(1),
  augment: count(0, LIMITS.augment),
});

const method = z.discriminatedUnion(
  "kind",
  methods().map(({ trainedSchema }) => trainedSchema) as unknown as [z.ZodObject<{ kind: z.ZodLiteral<string> }>],
);

const descriptionSchema = z
  .object({
    network: z.preprocess(withKind("dit"), z.discriminatedUnion("kind", [dit, mlp, unet])),
    method,
    classes: z.array(z.string().max(LIMITS.nameLength)).max(LIMITS.classes),
  })
  .superRefine(({ network, classes }, context) => {
    if (classes.length === network.classes) return;
    const message = `classes has ${classes.length} names; network.classes is ${network.classes}`;
    context.addIssue({ code: "custom", path: ["classes"], message });
  });

/** Throws where a file of ours says that it is of another kind, or of a version that is not read here. */
const checkFormat = (path: string, value: unknown): void => {
  const { format, version } = (value ?? {}) as { readonly format?: unknown; readonly version?: unknown };
  if (format !== "soflow") throw new UserError(`${path} does not describe a model: its "format" is not "soflow"`);
  if (Number.isInteger(version) && (version as number) > DESCRIPTION_VERSION)
    throw new UserError(
      `${path} is of format version ${version}, and this soflow reads version ${DESCRIPTION_VERSION}; upgrade soflow to use this model`,
    );
  if (version !== DESCRIPTION_VERSION)
    throw new UserError(
      `${path} does not describe a model: its "version" is ${JSON.stringify(version)}; it must be ${DESCRIPTION_VERSION}`,
    );
};

const parsed = (text: string): unknown => JSON.parse(text);

/** A message about a configuration in the words of this file, on one line. */
const inFile = (message: string): string =>
  message
    .replace(/\bdata\.size\b/g, "network.imageSize")
    .replace(/\b(data|model)\./g, "network.")
    .replace(/\s+/g, " ");

/**
 * What the text of config.json or network.json says. Throws a `UserError` of one line that names `path` for a later version of
 * the format, for what is no description of a model, and for a network beyond `LIMITS`; nothing of it is built before.
 */
export const parseDescription = (text: string, path: string): ModelDescription => {
  try {
    const value = parsed(text);
    checkFormat(path, value);
    const result = descriptionSchema.safeParse(value);
    if (!result.success) throw new Error(firstProblem(descriptionSchema, value, result.error.issues));
    const description = value as ModelDescription; // as it was written: its checksum stays
    checkNetwork(description.network);
    return description;
  } catch (thrown) {
    if (thrown instanceof UserError && thrown.message.startsWith(path)) throw thrown;
    throw new UserError(`${path} does not describe a model: ${inFile(messageOf(thrown))}`);
  }
};
