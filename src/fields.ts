import { z } from "zod";
import type { ParameterisationName, PathName } from "./paths/index.js";

/** The small vocabulary that the schema is written in. Bounds are inclusive unless the name says otherwise. */
export const count = (least = 1, most: number = Number.MAX_SAFE_INTEGER) =>
  most === Number.MAX_SAFE_INTEGER ? z.number().int().min(least) : z.number().int().min(least).max(most);
export const above0 = () => z.number().gt(0);
export const atLeast0 = () => z.number().min(0);
export const share = () => z.number().min(0).max(1);
export const text = () => z.string().min(1);

/** A choice whose official configuration files also use another spelling. */
export const spelled = <const T extends readonly [string, ...string[]]>(
  choices: T,
  others: Readonly<Record<string, T[number]>>,
) => z.preprocess((value) => (typeof value === "string" ? (others[value] ?? value) : value), z.enum(choices));

/** Fills in a section's `kind` where it is left out. */
export const withKind =
  (kind: string) =>
  (section: unknown): unknown =>
    typeof section === "object" && section !== null && !("kind" in section) ? { kind, ...section } : section;

/** A logit-normal distribution of times; t = σ(z). */
export const logitNormal = (mean: number, deviation: number, meaning: string) =>
  z
    .strictObject({
      mean: z.number().default(mean).describe("mean of the normal draw z; t = σ(z)"),
      deviation: above0().default(deviation).describe("standard deviation of z"),
    })
    .prefault({})
    .describe(meaning);

export const PATH_CHOICES = ["linear", "trig"] as const satisfies readonly PathName[];
export const PARAMETERISATION_CHOICES = ["euler", "trig"] as const satisfies readonly ParameterisationName[];
/** The official configuration files say Triangular where the official code reads Trig. */
export const TRIG = { triangular: "trig", Triangular: "trig", Trig: "trig" } as const;

/** Probability that a label is dropped, so that sampling can be guided. */
export const labelDropout = () =>
  z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe("probability that training hides a label, so that sampling can be guided");

/** A field of an objective that does not fit the others, and what is wrong with it. */
export type Problem = { readonly field: string; readonly text: string };
