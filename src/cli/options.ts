import { InvalidArgumentError } from "commander";

/** Parses a whole number of at least `least`, and at most `most` where that is given, as an option's argument. */
export const wholeNumber =
  (least: number, most?: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || (most === undefined && !Number.isSafeInteger(value)))
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    if (most !== undefined && value > most) throw new InvalidArgumentError(`It must be at most ${most}.`);
    return value;
  };

/** Parses a finite number. */
export const decimal = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
};

/** Names of the samplers, said again here so that help needs no engine; a test compares them with the registry. */
export const SAMPLER_NAMES = [
  "renoise",
  "solution",
  "multistep",
  "euler",
  "midpoint",
  "heun",
  "rk4",
  "dopri5",
  "ancestral",
  "ddim",
  "edm",
] as const;

/** Parses `a,b,c`; empty entries are refused. */
export const wordList = (text: string): readonly string[] => {
  const words = text.split(",").map((word) => word.trim());
  if (words.some((word) => word === ""))
    throw new InvalidArgumentError("It must be names with commas between them, such as a,b.");
  return words;
};

const MOST_LABELS = 100_000;

const range = (text: string): readonly number[] => {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(text.trim()) ?? [];
  const [from, to] = [Number(first), Number(last ?? first)];
  if (first === undefined || to < from || to - from >= MOST_LABELS)
    throw new InvalidArgumentError('It must be label numbers such as "0,1,2" or "0-9".');
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
};

/** Parses label numbers: `0,1,2`, `0-9`, or both as in `0-3,7`. */
export const labelList = (text: string): readonly number[] => text.split(",").flatMap(range);

/** Collects the arguments of an option that may be repeated. */
export const repeated = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** What kind of output a path asks for: by its ending a PNG sheet or an NPZ archive, with a final slash a folder of PNGs. */
export type OutputKind = "png" | "npz" | "folder";
export const outputKind = (path: string): OutputKind => {
  if (/[/\\]$/.test(path)) return "folder";
  const ending = /\.(png|npz)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "png" || ending === "npz") return ending;
  throw new InvalidArgumentError("It must end in .png (one sheet), .npz (arrays) or / (a folder of images).");
};
