import { stringify } from "yaml";
import { type Config, sections } from "./schema.js";
import { fieldsOf, type Schema } from "./walk.js";

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const scalar = (value: unknown): string => stringify(value, { lineWidth: 0, singleQuote: false }).trim();

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
    const comment = `${indent}${head.padEnd(column)}  # ${field.description}`;
    return isSection(value) ? [comment, ...lines(field, value, `${indent}  `)] : [comment];
  });
};

/** The whole configuration as YAML, every field with its meaning; parsing it gives the same configuration. */
export const configToYaml = (config: Config): string =>
  `# Times run from 0, data, to 1, noise.\n${lines(sections as unknown as Schema, config, "").join("\n")}\n`;
