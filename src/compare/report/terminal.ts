import type { Comparison } from "../result.js";
import { claims } from "./claims.js";
import { type Fact, machineOf, setting } from "./facts.js";
import { onlyGroups, type Table, type TableCell, tableOf } from "./table.js";

const WIDTH = 110;

const widthOf = (text: string): number => [...text].length;

const pad = (text: string, width: number, align: "left" | "right"): string => {
  const blank = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "left" ? text + blank : blank + text;
};

type Line = readonly string[];

/** Lines of the same width: columns two blanks apart, a rule under the heads. */
const layOut = (lines: readonly Line[], aligns: readonly ("left" | "right")[]): string[] => {
  const widths = aligns.map((_, i) => Math.max(...lines.map((line) => widthOf(line[i]!))));
  const joined = lines.map((line) => line.map((text, i) => pad(text, widths[i]!, aligns[i]!)).join("  "));
  return [joined[0]!, "─".repeat(widthOf(joined[0]!)), ...joined.slice(1)];
};

/** The best is marked; where a column has a best, the others keep its place free. */
const cellText = ({ text, note, best }: TableCell, marked: boolean, notes: boolean): string =>
  `${text}${marked ? (best ? "*" : " ") : ""}${notes && note ? ` ${note}` : ""}`;

const tableText = ({ columns, rows }: Table, notes: boolean): string[] => {
  const head = ["method", ...columns.map(({ head, better }) => (better && !notes ? `${head} ` : head))];
  const body = rows.map(({ name, cells }) => [
    name,
    ...cells.map((cell, i) => cellText(cell, columns[i]!.better !== undefined, notes)),
  ]);
  return layOut([head, ...body], ["left", ...columns.map(({ align }) => align)]);
};

/** All columns as one table where they fit, else two tables, the second with multiples. */
const tables = (table: Table): string[] => {
  const whole = tableText(table, false);
  if (widthOf(whole[0]!) <= WIDTH) return whole;
  const rest = onlyGroups(table, "second", "cost");
  return [...tableText(onlyGroups(table, "quality"), false), "", ...tableText(rest, true)];
};

/** Breaks a text between words; lines after the first are indented. */
const wrap = (text: string, width: number, indent: string): string => {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last === "") lines[lines.length - 1] = word;
    else if (widthOf(last) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
};

const factText = ([name, text]: Fact): string => `  ${pad(name, 9, "left")}${wrap(text, WIDTH - 11, " ".repeat(11))}`;

const legend = ({ columns }: Table, several: boolean): string[] => [
  "* best of its column; lower is better but for accuracy; – not measured, nan not finite",
  ...(several ? ["± half the range over seeds"] : []),
  "NFE n: n network evaluations per sample, each method's usual sampler; own best: any sampler measured",
  ...(columns.some(({ head }) => head === "@best") ? ["@1, @best: with one evaluation, and at the own best"] : []),
];

/** The result of a comparison as text, at most 110 columns wide unless names are long. */
export const terminalReport = (comparison: Comparison): string => {
  const table = tableOf(comparison);
  const several = new Set(comparison.methods.map(({ seed }) => seed)).size > 1;
  const found = claims(comparison).map((text) => `  - ${wrap(text, WIDTH - 4, "    ")}`);
  return [
    comparison.name,
    ...[...setting(comparison), machineOf(comparison)].map(factText),
    "",
    ...tables(table),
    "",
    ...legend(table, several),
    ...(found.length > 0 ? ["", "SoFlow beside MeanFlow", ...found] : []),
    "",
  ].join("\n");
};
