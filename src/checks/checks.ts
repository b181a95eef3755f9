import { oneOf, UserError } from "../errors.js";
import { didYouMean, nearest } from "./nearest.js";

/** What a value must be, in words that follow "it must be"; undefined where it is that. */
export type Check = (value: unknown) => string | undefined;

/** A value in an error's line: short, whatever it is. */
export const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value) && "length" in value) return `a ${value.constructor.name} of ${value.length} numbers`;
  if (Array.isArray(value)) return value.length > 8 ? `a list of ${value.length}` : `[${value.map(show).join(", ")}]`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
};

const rangeText = (least: number, most: number): string =>
  most === Number.MAX_SAFE_INTEGER || most === Number.POSITIVE_INFINITY
    ? `of at least ${least}`
    : `from ${least} to ${most}`;

const within = (value: number, least: number, most: number): boolean => value >= least && value <= most;

/** A whole number from `least` to `most`. */
export const wholeNumber =
  (least: number, most: number = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isSafeInteger(value) && within(value as number, least, most)
      ? undefined
      : `a whole number ${rangeText(least, most)}`;

/** A finite number from `least` to `most`. */
export const numberFrom =
  (least: number, most: number = Number.POSITIVE_INFINITY): Check =>
  (value) => {
    if (typeof value !== "number") return `a number ${rangeText(least, most)}`;
    return Number.isFinite(value) && within(value, least, most)
      ? undefined
      : rangeText(least, most).replace(/^of /, "");
  };

/** Any finite number. */
export const finite: Check = (value) => (Number.isFinite(value) ? undefined : "a finite number");

/** One of some words. */
export const word =
  (choices: readonly string[]): Check =>
  (value) => {
    if (choices.includes(value as string)) return undefined;
    return `${oneOf(choices)}${typeof value === "string" ? didYouMean(value, choices) : ""}`;
  };

/** A text that is not empty. */
export const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "a text");

export const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");

export const callback: Check = (value) => (typeof value === "function" ? undefined : "a function");

/** An object, of which nothing else is known here. */
export const object: Check = (value) => (typeof value === "object" && value !== null ? undefined : "an object");

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** A list whose entries all pass; what does not is named with its place. */
export const listOf =
  (entry: Check, what: string): Check =>
  (value) =>
    isList(value) && Array.from(value).every((item) => entry(item) === undefined) ? undefined : what;

/** What each option of a call must be, by name. */
export type Rules = Readonly<Record<string, Check>>;

/** Throws a `UserError`, which begins with `who`, for a value that is given and is not what it must be. */
export const checkValue = (who: string, name: string, value: unknown, check: Check): void => {
  const rule = value === undefined ? undefined : check(value);
  if (rule !== undefined) throw new UserError(`${who}: ${name} is ${show(value)}; it must be ${rule}`);
};

/**
 * Checks the options of a call: every one is known, is what it must be, and those of `needed` are there. Throws a `UserError`
 * with one line for the first that is not.
 */
export const checkOptions = (who: string, options: unknown, rules: Rules, needed: readonly string[] = []): void => {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new UserError(`${who}: the options are ${show(options)}; they must be an object with ${list(rules)}`);
  const given = options as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined)
    throw new UserError(
      `${who}: there is no option ${unknown}${guess(unknown, rules)}; the options are ${list(rules)}`,
    );
  for (const [name, check] of Object.entries(rules)) checkValue(who, name, given[name], check);
  const missing = needed.find((name) => given[name] === undefined);
  if (missing !== undefined)
    throw new UserError(`${who}: ${missing} is missing; it must be ${rules[missing]!(undefined)}`);
};

const guess = (name: string, rules: Rules): string => {
  const meant = nearest(name, Object.keys(rules));
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
};

const list = (rules: Rules): string => Object.keys(rules).join(", ");
