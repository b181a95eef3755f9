import { stringify } from "yaml";
import type { z } from "zod";
import { type Config, sections } from "./schema.js";
import { fieldsOf, type Schema } from "./walk.js";

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const scalar = (value: unknown): string =>
  Array.isArray(value) ? JSON.stringify(value) : stringify(value, { lineWidth: 0, singleQuote: false }).trim();

/** The lines of a section: `field: value  # meaning`, the comments of one section in one column. */
const lines = (schema: Schema, section: Readonly<Record<string, unknown>>, indent: string): readonly string[] => {
  const fields = Object.entries(fieldsOf(schema, section) ?? {}).filter(([key]) => section[key] !== undefined);
  const widths = fields.map(([key, _]) =>
    isSection(section[key]) ? key.length + 1 : `${key}: ${scalar(section[key])}`.length,
  );
  const column = Math.max(0, ...widths);
  return fields.flatMap(([key, field]) => {
    const value = section[key];
    const head = isSection(value) ? `${key}:` : `${key}: ${scalar(value)}`;
    const comment = `${indent}${head.padEnd(column)}  # ${field.description ?? ""}`.trimEnd();
    return isSection(value) ? [comment, ...lines(field, value, `${indent}  `)] : [comment];
  });
};

/** A whole configuration as YAML, every field with its meaning; parsing it gives the same configuration. */
export const toYaml = (schema: z.ZodType, value: Readonly<Record<string, unknown>>): string =>
  `# Times run from 0, data, to 1, noise.\n${lines(schema as unknown as Schema, value, "").join("\n")}\n`;

/** `toYaml` of a training configuration. */
export const configToYaml = (config: Config): string => toYaml(sections, config);
