import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { didYouMean } from "../../checks/nearest.js";
import { messageOf, oneOf, UserError } from "../../errors.js";
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
  if (existsSync(file)) return file;
  if (presets.includes(file)) return join(PRESETS, `${file}.yaml`);
  const published = verb === "train" ? publishedNames() : [];
  const more = verb === "train" ? "; soflow presets lists those of published results" : "";
  throw new UserError(
    `config ${file}: there is no such file, and no preset of that name; presets: ${oneOf(presets)}${more}${didYouMean(file, [...presets, ...published])}`,
  );
};

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new UserError(`config ${path}: it cannot be read: ${messageOf(thrown)}`);
  }
};

/** What a schema makes of YAML text; errors as in `parseConfig`. */
export const parseWith = <S extends z.ZodType>(
  schema: S,
  text: string,
  name: string,
  overrides: readonly string[] = [],
): z.output<S> => {
  const source = readSource(text, name, overrides);
  const result = schema.safeParse(source.value);
  if (!result.success) throw new UserError(explain(schema, source, result.error.issues).join("\n"));
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
  const published = verb === "train" && !existsSync(file) ? findPreset(file) : undefined;
  if (published) return { text: presetYaml(published), name: `${published.name}.yaml` };
  const path = findConfig(file, verb);
  return { text: read(path), name: path.startsWith(PRESETS) ? basename(path) : path };
};

/** Reads a configuration: a file, or a preset by name. Throws `UserError`, as `parseConfig`. */
export const resolveConfig = ({ file, overrides = [] }: { file: string; overrides?: readonly string[] }): Config => {
  const { text, name } = readConfigFile(file, "train");
  return parseConfig(text, name, overrides);
};

/** The run's name from its file's: the last part without its ending. */
export const configStem = stem;
