import { stringify } from "yaml";
import { didYouMean } from "../../checks/nearest.js";
import { UserError } from "../../errors.js";
import { PRESETS, type Preset } from "./presets.js";

export const publishedNames = (): readonly string[] => PRESETS.map(({ name }) => name);

/** The published FID in words: `2.86 with 1 evaluation, 2.2827 with 2`. */
const fidLine = ({ fid: { one, two } }: Preset): string =>
  `${one} with 1 evaluation${two === undefined ? "" : `, ${two} with 2`}`;

/** A preset as a configuration file, with what is known of it in comments at its top. */
export const presetYaml = (preset: Preset): string =>
  [
    `# ${preset.name}: published FID-50K ${fidLine(preset)}.`,
    `# Source: ${preset.source}.`,
    `# Data: ${preset.needs}; --set data.path=… says where.`,
    ...(preset.note ? [`# Note: ${preset.note}.`] : []),
    stringify(preset.sections, { lineWidth: 0 }),
  ].join("\n");

/** The preset of this name; undefined where there is none. */
export const findPreset = (name: string): Preset | undefined => PRESETS.find((preset) => preset.name === name);

/** The same; throws a `UserError` where there is none. */
export const requirePreset = (name: string): Preset => {
  const found = findPreset(name);
  if (found) return found;
  throw new UserError(
    `presets: there is no ${name}${didYouMean(name, publishedNames())}; soflow presets lists those there are`,
  );
};

const pad = (rows: readonly (readonly string[])[]): readonly string[] => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
};

const millions = (n: number): string => `${n / 1e6} M`;

/** All presets as lines: name, published FIDs, steps and batch; then sources and data, each once. */
export const presetTable = (): string => {
  const rows = PRESETS.map((preset) => {
    const { steps, batch } = preset.sections.train as { steps: number; batch: number };
    const { one, two } = preset.fid;
    return [preset.name, String(one), two === undefined ? "" : String(two), millions(steps), String(batch)];
  });
  const table = pad([["preset", "FID, 1 evaluation", "2", "steps", "batch"], ...rows]);
  const kinds = [...new Set(PRESETS.map(({ sections: { data } }) => String(data!.kind)))];
  const data = kinds.map((kind) => {
    const of = PRESETS.filter(({ sections }) => sections.data!.kind === kind);
    return `${kind}: ${of[0]!.needs}`;
  });
  const sources = [...new Set(PRESETS.map(({ source }) => source))];
  return [
    ...table,
    "",
    "FID-50K as published by:",
    ...sources.map((line) => `  ${line}`),
    "",
    "Data:",
    ...data.map((line) => `  ${line}`),
    "",
  ].join("\n");
};
