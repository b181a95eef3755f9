import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { didYouMean } from "../../checks/nearest.js";
import { oneOf, UserError } from "../../errors.js";
import { isPresent, reasonOf } from "../../files/index.js";
import { explain } from "./explain.js";
import { findPreset, presetYaml, publishedNames } from "./presetText.js";
import { type Config, configSchema } from "./schema.js";
import { readSource } from "./source.js";

const PRESETS = fileURLToPath(new URL("../../../configs/", import.meta.url));

const stem = (file: string): string => basename(file).replace(/\.ya?ml$/, "");

/** Presets of comparisons begin so; the others are for training. */
const COMPARISON = "compare-";

/** Names of the configurations that come with the package, for `train` or for `compare`. */
export const presetNames = (verb: "train" | "compare" = "train"): readonly string[] =>
  readdirSync(PRESETS)
    .filter((file) => file.endsWith(".yaml") && file.startsWith(COMPARISON) === (verb === "compare"))
    .map(stem)
    .sort();

/** The path behind `file`: a file's own, or that of the preset of this name. */
const findConfig = (file: string, verb: "train" | "compare"): string => {
  const presets = presetNames(verb);
  if (isPresent(file)) return file;
  if (presets.includes(file)) return join(PRESETS, `${file}.yaml`);
  const published = verb === "train" ? publishedNames() : [];
  const more = verb === "train" ? "; soflow presets lists those of published results" : "";
  throw new UserError(
    `config ${file}: there is no such file, and no preset of that name; presets: ${oneOf(presets)}${more}${didYouMean(file, [...presets, ...published])}`,
  );
};

/** Bytes of a configuration. */
const LARGEST = 2 ** 20;

/** At most `LARGEST` bytes of a file and one, whatever kind of file it is: some have no end. */
const readStart = (path: string): Buffer => {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(LARGEST + 1);
    let done = 0;
    for (let n = 1; n > 0 && done < bytes.length; done += n) n = readSync(file, bytes, done, bytes.length - done, null);
    return bytes.subarray(0, done);
  } finally {
    closeSync(file);
  }
};

const read = (path: string): string => {
  try {
    const bytes = readStart(path);
    if (bytes.length > LARGEST) throw new Error(`a configuration has at most ${LARGEST} bytes`);
    return bytes.toString("utf8");
  } catch (thrown) {
    throw new UserError(`config ${path}: it cannot be read: ${reasonOf(thrown)}`);
  }
};

/** Problems that are listed; the others are counted. */
const MOST_LISTED = 20;

const listed = (problems: readonly string[]): string =>
  problems.length <= MOST_LISTED
    ? problems.join("\n")
    : [...problems.slice(0, MOST_LISTED), `and ${problems.length - MOST_LISTED} more`].join("\n");

/** What a schema makes of YAML text; errors as in `parseConfig`. */
export const parseWith = <S extends z.ZodType>(
  schema: S,
  text: string,
  name: string,
  overrides: readonly string[] = [],
): z.output<S> => {
  const source = readSource(text, name, overrides);
  const result = schema.safeParse(source.value);
  if (!result.success) throw new UserError(listed(explain(schema, source, result.error.issues)));
  return result.data;
};

/**
 * Checks YAML text against the schema and fills in defaults. `name` is what errors call the text, and without its
 * extension the run's name. Overrides are `section.field=value` with the value in YAML; later ones win.
 * Throws `UserError` with one line for each problem: `config.yaml:3:10 model.depth: expected number, received string "six"`.
 */
export const parseConfig = (text: string, name: string, overrides: readonly string[] = []): Config => {
  const config = parseWith(configSchema, text, name, overrides);
  return { ...config, out: config.out ?? `runs/${stem(name)}` };
};

/** The text of a file, or of a preset by name, and what errors call it. */
export const readConfigFile = (file: string, verb: "train" | "compare"): { text: string; name: string } => {
  const published = verb === "train" && !isPresent(file) ? findPreset(file) : undefined;
  if (published) return { text: presetYaml(published), name: `${published.name}.yaml` };
  const path = findConfig(file, verb);
  return { text: read(path), name: path.startsWith(PRESETS) ? basename(path) : path };
};

/** The name of the configuration in a run folder. */
const OWN = "config.yaml";
/** What shows that a folder is a run's; each is written soon after the configuration. */
const MARKS = ["checkpoints", "network.json"] as const;

/** The run folder whose configuration a file is, if it is one. */
const runFolderOf = (file: string): string | undefined => {
  const folder = dirname(file);
  const isRun = basename(file) === OWN && isPresent(file) && MARKS.some((name) => isPresent(join(folder, name)));
  return isRun ? folder : undefined;
};

/**
 * Reads a configuration: a file, or a preset by name. That of a run folder means this folder, wherever it was moved to,
 * unless an override gives another `out`. Throws `UserError`, as `parseConfig`.
 */
export const resolveConfig = ({ file, overrides = [] }: { file: string; overrides?: readonly string[] }): Config => {
  const { text, name } = readConfigFile(file, "train");
  const config = parseConfig(text, name, overrides);
  const folder = overrides.some((text) => /^\s*out\s*=/.test(text)) ? undefined : runFolderOf(file);
  return folder === undefined ? config : { ...config, out: folder };
};

/** The configuration's file in a run folder. Throws a `UserError` where the path is no run folder. */
export const configOfRun = (folder: string): string => {
  const file = join(folder, OWN);
  const found = runFolderOf(file);
  if (found !== undefined) return file;
  if (!isPresent(folder)) {
    const preset = presetNames().includes(folder) ? `; the preset is --config ${folder}` : "";
    throw new UserError(`train: there is no run folder ${folder}; to begin a run give --config FILE${preset}`);
  }
  const yaml = /\.ya?ml$/.test(folder) ? `; a configuration is given with --config ${folder}` : "";
  throw new UserError(`train: ${folder} is not a run folder: it has no ${OWN} beside ${oneOf(MARKS)}${yaml}`);
};

/** The run's name from its file's: the last part without its ending. */
export const configStem = stem;
