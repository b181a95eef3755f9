import {
  type Check,
  callback,
  checkValue,
  finite,
  object,
  type Rules,
  text,
  wholeNumber,
  word,
} from "../checks/checks.js";
import { LIMITS, mostSamples } from "../checks/limits.js";
import { checkCount, checkLabels, GENERATE_RULES } from "../editing/rules.js";
import { oneOf, UserError } from "../errors.js";
import { SAMPLERS } from "../samplers/index.js";
import type { ModelDescription } from "./model.js";
import { type DrawOptions, PRECISIONS } from "./plan.js";

/** Which samplers there are is said where one is chosen. */
const sampler: Check = (value) => (typeof value === "string" ? undefined : oneOf(Object.keys(SAMPLERS)));

/** How to draw: what each option must be. Ranges that a sampler alone knows are its own to check. */
export const DRAW_RULES: Rules = {
  batch: wholeNumber(1, LIMITS.batch),
  sampler,
  precision: word(PRECISIONS),
  guidance: finite,
  steps: wholeNumber(1, LIMITS.steps),
  eta: finite,
  churn: finite,
  atol: finite,
  rtol: finite,
};

export const THREADS: Check = wholeNumber(1, LIMITS.threads);

/** What `SoFlow.generate` takes. */
export const IMAGES_RULES: Rules = { ...GENERATE_RULES, ...DRAW_RULES };

/** What `fromPretrained` takes. */
export const PRETRAINED_RULES: Rules = {
  revision: text,
  cacheDir: text,
  offline: (value) => (typeof value === "boolean" ? undefined : "true or false"),
  endpoint: text,
  token: text,
  signal: object,
  onProgress: callback,
  vae: text,
  threads: THREADS,
};

/** What `drawSamples` takes. */
export const SAMPLES_RULES: Rules = {
  source: text,
  ...IMAGES_RULES,
  labels: (value) => (value === null ? undefined : GENERATE_RULES.labels!(value)),
  weights: word(["ema", "model"]),
  threads: THREADS,
  onProgress: callback,
  runtime: object,
};

const output: Check = (value) => {
  const { path, kind } = (value ?? {}) as { readonly path?: unknown; readonly kind?: unknown };
  const ok = text(path) === undefined && ["png", "npz", "folder"].includes(kind as string);
  return ok ? undefined : 'an object such as { path: "samples.png", kind: "png" }; kinds are png, npz and folder';
};

/** What `sampleToFiles` takes. */
export const FILES_RULES: Rules = { ...SAMPLES_RULES, out: output, scale: wholeNumber(1, LIMITS.scale), vae: text };

/** Throws a `UserError`, which begins with `who`, for ways to draw that cannot be. Other options are not looked at. */
export const checkDrawOptions = (who: string, options: DrawOptions, { network }: ModelDescription): void => {
  for (const [name, check] of Object.entries(DRAW_RULES))
    checkValue(who, name, (options as Readonly<Record<string, unknown>>)[name], check);
  const most = mostSamples(network.channels * network.imageSize ** 2);
  if (!(options.batch <= most)) checkValue(who, "batch", options.batch ?? null, wholeNumber(1, most));
};

type Range = {
  readonly count: number;
  readonly first: number;
  readonly labels: Iterable<number>;
  readonly seed: number;
};

/** Throws a `UserError`, which begins with `who`, for samples that a model cannot give. */
export const checkRange = (who: string, { count, first, labels, seed }: Range, description: ModelDescription): void => {
  checkValue(who, "count", count ?? null, wholeNumber(0));
  checkValue(who, "first", first, wholeNumber(0));
  checkValue(who, "seed", seed ?? null, GENERATE_RULES.seed!);
  const wanted = [...labels];
  if (wanted.length > 0) checkLabels(who, wanted, description.network.classes);
};

/** Throws a `UserError`, which begins with `who`, for a call that a model cannot answer. */
export const checkRequest = (
  who: string,
  { count, labels }: { readonly count: number; readonly labels?: Iterable<number> | undefined },
  { network }: ModelDescription,
): void => {
  checkLabels(who, labels, network.classes);
  checkCount(who, count, network);
};

/** A path, or a `UserError` that says what it must be. */
export const requirePath = (who: string, path: unknown): void => {
  if (text(path) !== undefined)
    throw new UserError(`${who}: the first argument must be the path of a model or its id, owner/name`);
};
