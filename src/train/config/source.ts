import { isMap, isScalar, type Node } from "yaml";
import { messageOf, UserError } from "../../errors.js";
import { shown } from "../../formats/randomAccess.js";
import { parseYaml } from "./yaml.js";

export type Path = readonly PropertyKey[];

/** `file:line:column`, or the override that put a value there; the offset sorts places in reading order. */
export type Place = { readonly text: string; readonly offset: number };

/** A configuration as it was written: its value, and where each part of it came from. */
export type Source = {
  readonly value: unknown;
  /** Where the value at `path` was written, or its key, or the nearest section around it. */
  readonly locate: (path: Path, at?: "value" | "key") => Place;
};

type Override = { readonly path: readonly string[]; readonly value: unknown; readonly written: string };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `a.b=value` with the value in YAML. */
const parseOverride = (written: string): Override => {
  const at = written.indexOf("=");
  const path = written.slice(0, Math.max(0, at)).trim().split(".");
  if (at < 0 || path.some((key) => key === ""))
    throw new UserError(`--set ${written}: expected section.field=value, such as --set train.steps=2000`);
  try {
    return { path, value: parseYaml(written.slice(at + 1), "value").value, written: `--set ${written}` };
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    const [first = ""] = messageOf(thrown).split("\n");
    throw new UserError(`--set ${written}: the value is not YAML: ${first.replace(/^value(:\d+)* /, "")}`);
  }
};

const setIn = (value: unknown, { path, value: leaf, written }: Override, depth = 0): unknown => {
  const key = path[depth];
  if (key === undefined) return leaf;
  if (value !== undefined && value !== null && !isRecord(value))
    throw new UserError(
      `${written}: ${path.slice(0, depth).join(".")} is ${shown(JSON.stringify(value) ?? String(value))}, which has no fields`,
    );
  const section = value ?? {};
  return { ...section, [key]: setIn(section[key], { path, value: leaf, written }, depth + 1) };
};

const startsWith = (path: Path, prefix: Path): boolean => prefix.every((key, i) => key === path[i]);

/** Offset in the text of what is at `path`: the value where it is a scalar, else the key. */
const offsetOf = (root: Node | null, path: Path, at: "value" | "key"): number => {
  let offset = 0;
  let node: unknown = root;
  for (const key of path) {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
    if (!pair) break;
    const place = (at === "value" && isScalar(pair.value) ? pair.value : pair.key) as Node;
    offset = place.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
};

/** Reads YAML text; `name` is what errors call it. Throws `UserError` with one line for each thing that is not YAML. */
export const readSource = (text: string, name: string, overrides: readonly string[] = []): Source => {
  const { document, value, place } = parseYaml(text, name);
  const parsed: unknown = value ?? {};
  if (!isRecord(parsed))
    throw new UserError(
      `${place(0)} expected sections such as data: and model:, found ${shown(JSON.stringify(parsed) ?? String(parsed))}`,
    );
  const parsedOverrides = overrides.map(parseOverride);
  return {
    value: parsedOverrides.reduce<unknown>((value, override) => setIn(value, override), parsed),
    locate: (path, at = "value") => {
      const above = parsedOverrides.findLast((candidate) => startsWith(path, candidate.path));
      const below = () => parsedOverrides.findLast((candidate) => startsWith(candidate.path, path));
      const override = above ?? (document.hasIn(path) ? undefined : below());
      if (override) return { text: override.written, offset: Number.MAX_SAFE_INTEGER };
      const offset = offsetOf(document.contents, path, at);
      return { text: place(offset), offset };
    },
  };
};
