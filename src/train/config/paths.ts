import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isPresent } from "../../files/index.js";
import { openMethod } from "../../methods/index.js";
import type { Config } from "./schema.js";

const teacherOf = (objective: Config["objective"]): Record<string, string> => {
  const { teacher } = openMethod(objective);
  return teacher === undefined ? {} : { "objective.teacher": teacher };
};

/** The paths of a configuration that decide what a run learns, by the name that errors call them. */
export const learntPaths = ({ data, objective }: Pick<Config, "data" | "objective">): Record<string, string> => ({
  ...("path" in data && { "data.path": data.path }),
  ...teacherOf(objective),
});

type Learning = Pick<Config, "data" | "objective">;

/** The sections with these paths in place of their own. */
export const withPaths = <C extends Learning>(config: C, paths: Readonly<Record<string, string>>): C => {
  const { data, objective } = config;
  const [path, teacher] = [paths["data.path"], paths["objective.teacher"]];
  return {
    ...config,
    data: path === undefined ? data : { ...data, path },
    objective: teacher === undefined ? objective : { ...objective, teacher },
  };
};

/** What an evaluation names is a path where something is there, or by its ending. */
const settled = (text: string): string => (isPresent(text) || /\.(tar|npz|pth|pb)$/.test(text) ? resolve(text) : text);

/**
 * The configuration with its paths made absolute, as a run folder keeps it: they mean the same from any working
 * directory, and wherever the run folder is moved to.
 */
export const withAbsolutePaths = (config: Config): Config => {
  const { features, reference, cache, ...rest } = config.evaluation;
  const entries = Object.entries(learntPaths(config)).map(([name, path]) => [name, resolve(path)] as const);
  return {
    ...withPaths(config, Object.fromEntries(entries)),
    evaluation: {
      ...rest,
      features: features === "inception" ? features : settled(features),
      reference: reference === null ? null : settled(reference),
      cache: resolve(cache),
    },
  };
};

/** One spelling of a path: absolute, links followed as far as it is there. The last part may be a pattern. */
export const canonical = async (path: string): Promise<string> => {
  const whole = resolve(path);
  return realpath(whole).catch(async () => {
    const folder = await realpath(dirname(whole)).catch(() => dirname(whole));
    return join(folder, basename(whole));
  });
};
