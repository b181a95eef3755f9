import { z } from "zod";

/** The small vocabulary that the schema is written in. Bounds are inclusive unless the name says otherwise. */
export const count = (least = 1) => z.number().int().min(least);
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
