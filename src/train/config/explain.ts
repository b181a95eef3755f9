import type { z } from "zod";
import { didYouMean } from "../../checks/nearest.js";
import { oneOf } from "../../errors.js";
import { shown } from "../../formats/randomAccess.js";
import type { Path, Source } from "./source.js";
import { fieldsOf, follow } from "./walk.js";

type Issue = z.core.$ZodIssue;
type Problem = { readonly path: Path; readonly text: string; readonly at?: "key" };

const LONGEST = 200;
const show = (value: unknown): string => shown(JSON.stringify(value) ?? String(value), LONGEST);
const dotted = (path: Path): string => path.map(String).join(".");

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "list"
      : typeof value === "object"
        ? "section"
        : `${typeof value} ${show(value)}`;

const kindNames: Readonly<Record<string, string>> = { int: "whole number", object: "section" };

/** A union's choices of `kind`. */
const choicesOf = (issue: z.core.$ZodIssueInvalidUnion): readonly unknown[] =>
  "options" in issue && Array.isArray(issue.options) ? issue.options : [];

/** `it must be at least 1`, and its three sisters. */
const boundText = (issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string => {
  if (issue.origin === "string")
    return issue.code === "too_small" ? "it must not be empty" : `it must be at most ${issue.maximum} characters long`;
  if (issue.origin === "array")
    return issue.code === "too_small"
      ? `it must have at least ${issue.minimum} entries`
      : `it must have at most ${issue.maximum} entries`;
  if (issue.code === "too_small") return `it must be ${issue.inclusive ? "at least" : "above"} ${issue.minimum}`;
  return `it must be ${issue.inclusive ? "at most" : "below"} ${issue.maximum}`;
};

const choiceText = (field: string, value: unknown, choices: readonly string[]): string =>
  value === undefined
    ? `${field} is missing; it must be ${oneOf(choices)}`
    : `${field} is ${show(value)}; it must be ${oneOf(choices)}${didYouMean(String(value), choices)}`;

const unknownKeys = (root: z.ZodType, value: unknown, path: Path, keys: readonly string[]): readonly Problem[] => {
  const at = follow(root, value, path);
  const known = Object.keys((at.schema && fieldsOf(at.schema, at.value)) ?? {});
  const owner = path.length === 0 ? "the valid keys" : `the valid keys of ${dotted(path)}`;
  return keys.map((key) => ({
    path: [...path, key],
    at: "key",
    text: `${dotted([...path, key])}: unknown key${didYouMean(key, known) || ";"} ${owner}: ${known.join(", ")}`,
  }));
};

const missing = (root: z.ZodType, value: unknown, path: Path): string => {
  const meaning = follow(root, value, path).schema?.description;
  return `${dotted(path)} is missing${meaning === undefined ? "" : `: ${meaning}`}`;
};

const problemsOf = (root: z.ZodType, value: unknown, issue: Issue): readonly Problem[] => {
  const { path } = issue;
  const field = dotted(path);
  const found = path.length === 0 ? value : follow(root, value, path).value;
  switch (issue.code) {
    case "unrecognized_keys":
      return unknownKeys(root, value, path, issue.keys);
    case "invalid_type":
      return found === undefined
        ? [{ path, text: missing(root, value, path) }]
        : [
            {
              path,
              text: `${field}: expected ${kindNames[issue.expected] ?? issue.expected}, received ${kindOf(found)}`,
            },
          ];
    case "invalid_value":
      return [{ path, text: choiceText(field, found, issue.values.map(String)) }];
    case "invalid_union":
      return [{ path, text: choiceText(field, found, choicesOf(issue).map(String)) }];
    case "too_small":
    case "too_big":
      return [{ path, text: `${field} is ${show(found)}; ${boundText(issue)}` }];
    default:
      return [{ path, text: issue.message }];
  }
};

/** One line for each problem, in the order of the file: where it is, what was found, what would work. */
export const explain = (root: z.ZodType, source: Source, issues: readonly Issue[]): readonly string[] =>
  issues
    .flatMap((issue) => problemsOf(root, source.value, issue))
    .map(({ path, text, at }) => ({ place: source.locate(path, at), text }))
    .sort((a, b) => a.place.offset - b.place.offset)
    .map(({ place, text }) => `${place.text} ${text}`);

/** The first problem of a value that was read from a file of ours, without its place; and how many more there are. */
export const firstProblem = (root: z.ZodType, value: unknown, issues: readonly Issue[]): string => {
  const locate: Source["locate"] = () => ({ text: "", offset: 0 });
  const [first, ...more] = explain(root, { value, locate }, issues);
  return `${first!.trim()}${more.length > 0 ? ` (and ${more.length} more)` : ""}`;
};
