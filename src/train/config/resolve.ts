import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, oneOf, UserError } from "../../errors.js";
import { explain } from "./explain.js";
import { didYouMean } from "./nearest.js";
import { type Config, configSchema } from "./schema.js";
import { readSource } from "./source.js";

const PRESETS = fileURLToPath(new URL("../../../configs/", import.meta.url));

const stem = (file: string): string => basename(file).replace(/\.ya?ml$/, "");

/** Names of the configurations that come with the package. */
export const presetNames = (): readonly string[] =>
  readdirSync(PRESETS)
    .filter((file) => file.endsWith(".yaml"))
    .map(stem)
    .sort();

/** The path behind `file`: a file's own, or that of the preset of this name. */
const findConfig = (file: string): string => {
  if (existsSync(file)) return file;
  const presets = presetNames();
  if (presets.includes(file)) return join(PRESETS, `${file}.yaml`);
  throw new UserError(
    `config ${file}: there is no such file, and no preset of that name; presets: ${oneOf(presets)}${didYouMean(file, presets)}`,
  );
};

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new UserError(`config ${path}: it cannot be read: ${messageOf(thrown)}`);
  }
};

/**
 * Checks YAML text against the schema and fills in defaults. `name` is what errors call the text, and without its
 * extension the run's name. Overrides are `section.field=value` with the value in YAML; later ones win.
 * Throws `UserError` with one line for each problem: `config.yaml:3:10 model.depth: expected number, received string "six"`.
 */
export const parseConfig = (text: string, name: string, overrides: readonly string[] = []): Config => {
  const source = readSource(text, name, overrides);
  const result = configSchema.safeParse(source.value);
  if (!result.success) throw new UserError(explain(configSchema, source, result.error.issues).join("\n"));
  return { ...result.data, out: result.data.out ?? `runs/${stem(name)}` };
};

/** Reads a configuration: a file, or a preset by name. Throws `UserError`, as `parseConfig`. */
export const resolveConfig = ({ file, overrides = [] }: { file: string; overrides?: readonly string[] }): Config => {
  const path = findConfig(file);
  return parseConfig(read(path), path.startsWith(PRESETS) ? basename(path) : path, overrides);
};
