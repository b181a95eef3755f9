import { didYouMean } from "../../checks/nearest.js";
import { oneOf, UserError } from "../../errors.js";
import { MODEL_NAMES } from "./model.js";

/** What a configuration file of the official code says, in the terms of ours. */
export type Official = {
  /** Sections of a configuration, without `data` where its data are of no kind known here. */
  readonly sections: Readonly<Record<string, unknown>>;
  readonly image: { readonly size: number; readonly channels: number };
  /** Where its data lie, as it says. */
  readonly dataset: {
    readonly kind: "imagenet" | "cifar10";
    readonly path: string | undefined;
    /** Probability of augmentation; 0 for none. */
    readonly augment: number;
  };
};

/** Dotted fields of our configuration with their values. */
type Fields = Readonly<Record<string, unknown>>;
type Row = { readonly keys: readonly string[]; readonly to: (value: unknown, key: string) => Fields };

const show = (value: unknown): string => JSON.stringify(value) ?? String(value);

const to =
  (field: string): Row["to"] =>
  (value) => ({ [field]: value });

const ignored: Row["to"] = () => ({});

/** One of several words, whatever their case. */
const word =
  (field: string, words: Readonly<Record<string, string>>): Row["to"] =>
  (value, key) => {
    const found = new Map(Object.entries(words)).get(String(value).toLowerCase());
    if (found === undefined) throw new UserError(`${key} is ${show(value)}; it must be ${oneOf(Object.keys(words))}`);
    return { [field]: found };
  };

/** A list of numbers, one for each field. */
const list =
  (...fields: readonly string[]): Row["to"] =>
  (value, key) => {
    if (!Array.isArray(value) || value.length !== fields.length)
      throw new UserError(`${key} is ${show(value)}; it must be a list of ${fields.length} numbers`);
    return Object.fromEntries(fields.map((field, i) => [field, value[i] as unknown]));
  };

/** The U-Net, and what the official code trains it with whatever the file says. */
const UNET: Fields = {
  "model.name": "DDPM++",
  "dataset.augment": 0.12,
  "optimizer.kind": "radam",
  "ema.every": 16,
  "ema.precision": "float64",
};

/** DiT-B-4, as the official files write it, DiT-B/4 or B/4; the U-Net by one of its names. */
const modelName: Row["to"] = (value, key) => {
  if (/^(?:song)?u-?net$|^ddpm(?:\+\+|pp)$/i.test(String(value))) return UNET;
  const [, size, patch] = /^(?:dit[-_/ ]?)?([a-z]+)[-_/ ]?(\d+)$/i.exec(String(value)) ?? [];
  const name = MODEL_NAMES.find((known) => known === `DiT-${size?.toUpperCase()}/${patch}`);
  if (!name)
    throw new UserError(`${key} is ${show(value)}; networks that can be imported are ${MODEL_NAMES.join(", ")}`);
  return { "model.name": name };
};

/** Images on a sheet from its rows and columns. */
const sheet: Row["to"] = (value, key) => {
  const [rows, columns] = Object.values(list("rows", "columns")(value, key)).map(Number);
  return { "train.sampleCount": rows! * columns! };
};

const PATHS = { linear: "linear", trig: "trig", triangular: "trig" };

/** Keys of the official files first, then what relatives of that code call the same. Case, dashes and nesting do not matter. */
const TABLE: readonly Row[] = [
  { keys: ["model_type", "model", "model_name"], to: modelName },
  { keys: ["patch_size"], to: to("model.patch") },
  { keys: ["hidden_size"], to: to("model.width") },
  { keys: ["depth"], to: to("model.depth") },
  { keys: ["num_heads"], to: to("model.heads") },
  { keys: ["noising_type", "noise_schedule", "path"], to: word("objective.path", PATHS) },
  {
    keys: ["coefficient_type", "parameterization", "parameterisation"],
    to: word("objective.parameterisation", { euler: "euler", trig: "trig", triangular: "trig" }),
  },
  { keys: ["dataset_type", "dataset"], to: word("dataset.kind", { imagenet: "imagenet", cifar10: "cifar10" }) },
  { keys: ["data_size", "image_size", "input_size"], to: to("dataset.size") },
  { keys: ["dataset_path", "data_path"], to: to("dataset.path") },
  { keys: ["velocity_loss_ratio", "lambda"], to: to("objective.velocityShare") },
  { keys: ["p"], to: to("objective.power") },
  { keys: ["eps"], to: to("objective.epsilon") },
  {
    keys: ["time_mean"],
    to: list("objective.times.velocity.mean", "objective.times.first.mean", "objective.times.second.mean"),
  },
  {
    keys: ["time_std"],
    to: list(
      "objective.times.velocity.deviation",
      "objective.times.first.deviation",
      "objective.times.second.deviation",
    ),
  },
  { keys: ["cfg_scale", "guidance_scale"], to: to("objective.guidance.scale") },
  { keys: ["mix_ratio"], to: to("objective.guidance.mix") },
  { keys: ["cfg_drop_rate", "class_dropout_prob", "label_dropout"], to: to("objective.guidance.labelDropout") },
  { keys: ["cfg_decay_time"], to: to("objective.guidance.decayTime") },
  {
    keys: ["l_schedule", "r_schedule"],
    to: word("objective.middle.schedule", { const: "const", linear: "linear", cosine: "cosine", exponent: "exponent" }),
  },
  { keys: ["l_init_ratio", "r_init"], to: to("objective.middle.initial") },
  { keys: ["l_end_ratio", "r_end"], to: to("objective.middle.final") },
  { keys: ["total_steps", "train_steps", "steps"], to: to("train.steps") },
  { keys: ["batch_size", "global_batch_size"], to: to("train.batch") },
  { keys: ["ema_decay_rate", "ema_decay"], to: to("ema.decay") },
  { keys: ["learning_rate", "lr"], to: to("optimizer.learningRate") },
  { keys: ["betas"], to: list("optimizer.beta1", "optimizer.beta2") },
  { keys: ["weight_decay"], to: to("optimizer.weightDecay") },
  { keys: ["ckpt_saving_steps"], to: to("train.checkpointEvery") },
  { keys: ["logging_steps"], to: to("train.logEvery") },
  { keys: ["eval_demo_steps"], to: to("train.sampleEvery") },
  { keys: ["eval_demo_shape"], to: sheet },
  { keys: ["seed"], to: to("seed") },
  { keys: ["working_dir", "num_workers", "prefetch_factor", "eval_steps", "eval_batch_size", "eval_nfe"], to: ignored },
];

const plain = (key: string): string => key.toLowerCase().replace(/[^a-z0-9]/g, "");
const ROWS = new Map(TABLE.flatMap((row) => row.keys.map((key) => [plain(key), row] as const)));
const KNOWN = TABLE.flatMap(({ keys }) => keys);

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every leaf with its key, however deep it stands. */
const leavesOf = (value: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] =>
  Object.entries(value).flatMap(([key, part]) => (isSection(part) ? leavesOf(part) : [[key, part] as const]));

/** Sections of ours that the official files have nothing like. */
const OURS = ["data", "objective", "train", "ema"] as const;

/** Whether a parsed YAML file is in the official form rather than ours. */
export const isOfficial = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isSection(value) &&
  !OURS.some((section) => isSection(value[section])) &&
  leavesOf(value).some(([key]) => ROWS.has(plain(key)) && key !== "seed");

const requireKnown = (leaves: readonly (readonly [string, unknown])[], name: string): void => {
  const unknown = leaves.map(([key]) => key).filter((key) => !ROWS.has(plain(key)));
  if (unknown.length > 0)
    throw new UserError(
      `${name}: unknown key${unknown.length > 1 ? "s" : ""} ${unknown.join(", ")}${didYouMean(unknown[0]!, KNOWN)}; the known ones: ${KNOWN.join(", ")}`,
    );
};

/** Sections from dotted fields. */
const nested = (fields: Iterable<readonly [string, unknown]>): Record<string, unknown> => {
  const root: Record<string, unknown> = {};
  for (const [field, value] of fields) place(root, field.split("."), value);
  return root;
};

const place = (section: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void => {
  if (rest.length === 0) section[key!] = value;
  else {
    section[key!] ??= {};
    place(section[key!] as Record<string, unknown>, rest, value);
  }
};

const CHANNELS = { imagenet: 4, cifar10: 3 } as const; // ImageNet as latents
const DEFAULT_SIZE = 32;
/** Defaults of the official code that differ from ours. */
const DEFAULTS = [
  ["objective.guidance.labelDropout", 0],
  ["train.steps", 400_000],
  ["train.batch", 256],
] as const;

/**
 * Translates a configuration of the official SoFlow code (imagenet.yaml, cifar.yaml, or the config.yaml beside a
 * checkpoint). What it leaves out keeps the official code's defaults. Throws a `UserError` that names `name`.
 */
export const translateOfficial = (value: Readonly<Record<string, unknown>>, name: string): Official => {
  const leaves = leavesOf(value);
  requireKnown(leaves, name);
  const fields = new Map<string, unknown>(DEFAULTS);
  const said = new Set<string>();
  for (const [key, leaf] of leaves)
    for (const [field, translated] of Object.entries(translate(key, leaf, name))) {
      if (said.has(field)) throw new UserError(`${name}: ${key} is given twice`);
      said.add(field);
      fields.set(field, translated);
    }
  const { dataset = {}, ...sections } = nested(fields) as {
    dataset?: Partial<Official["dataset"]> & { size?: unknown };
  };
  const { kind = "imagenet", path, size = DEFAULT_SIZE, augment = 0 } = dataset;
  if (!Number.isSafeInteger(size) || (size as number) < 1)
    throw new UserError(`${name}: data_size is ${show(size)}; it must be a whole number of at least 1`);
  return { sections, image: { size: size as number, channels: CHANNELS[kind] }, dataset: { kind, path, augment } };
};

const translate = (key: string, value: unknown, name: string): Fields => {
  try {
    return ROWS.get(plain(key))!.to(value, key);
  } catch (thrown) {
    throw thrown instanceof UserError ? new UserError(`${name}: ${thrown.message}`) : thrown;
  }
};
