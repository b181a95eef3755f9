import { dirname, resolve } from "node:path";
import { UserError } from "../errors.js";
import { isPresent, readIfPresent } from "../files/index.js";
import { type Config, parseConfig } from "./config/index.js";
import { canonical, learntPaths, withPaths } from "./config/paths.js";
import { runPaths } from "./runFolder.js";

/** Sections that a run must keep; the loop's own numbers may change between one command and the next. */
const KEPT = ["seed", "data", "model", "objective", "optimizer", "ema"] as const;

type Learning = Pick<Config, (typeof KEPT)[number]>;

/**
 * What decides the batches and weights of a run. Not among it: the spelling of a path; `data.workers`; and
 * `data.onError` and `data.maxPixels`, for a batch that is read without an error is the same with either choice.
 */
export const learningOf = async ({ seed, data, model, objective, optimizer, ema }: Config): Promise<Learning> => {
  const paths = learntPaths({ data, objective });
  const one = await Promise.all(Object.entries(paths).map(async ([name, path]) => [name, await canonical(path)]));
  const spelled = withPaths({ data, objective }, Object.fromEntries(one) as Record<string, string>);
  const plain = {
    ...spelled.data,
    workers: 0,
    onError: "stop",
    ...("maxPixels" in data && { maxPixels: undefined }),
  } as const;
  return { seed, model, optimizer, ema, ...spelled, data: plain };
};

/** Nothing lies where a path leads; of a pattern, not even its folder. */
const isGone = (path: string): boolean => {
  const whole = resolve(path);
  return !isPresent(/[*?{]/.test(path) ? dirname(whole) : whole);
};

/** The configuration that a run was begun with, where paths that lead nowhere any more are replaced by those of now. */
const followMoved = (before: Config, now: Config, onNote?: (text: string) => void): Config => {
  const current = learntPaths(now);
  const moved = Object.entries(learntPaths(before)).filter(
    ([name, path]) => current[name] !== undefined && current[name] !== path && isGone(path) && !isGone(current[name]),
  );
  for (const [name, path] of moved)
    onNote?.(`${name} was ${path}, which is no longer there; ${current[name]} is taken to hold the same`);
  return withPaths(before, Object.fromEntries(moved.map(([name]) => [name, current[name]!])));
};

/**
 * Throws a `UserError` when a run folder was begun with another configuration, or its config.yaml cannot be read; changes
 * of the loop are noted.
 */
export const requireSameRun = async (config: Config, onNote?: (text: string) => void): Promise<void> => {
  const { config: path } = runPaths(config.out);
  const text = await readIfPresent(path);
  if (text === undefined) return;
  const parsed = parseConfig(text, path);
  const before = await learningOf(followMoved(parsed, config, onNote));
  const now = await learningOf(config);
  const changed = KEPT.filter((section) => JSON.stringify(before[section]) !== JSON.stringify(now[section]));
  if (changed.length > 0)
    throw new UserError(
      `${config.out} was begun with another configuration: ${changed.join(", ")} differ${changed.length === 1 ? "s" : ""} from its config.yaml; ` +
        `choose another folder with --out, or fork it with --resume-from ${config.out}/checkpoints/latest`,
    );
  if (JSON.stringify(parsed.train) !== JSON.stringify(config.train))
    onNote?.("train differs from this run's config.yaml; the new values are used");
};
