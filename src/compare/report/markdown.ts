import type { Comparison } from "../result.js";
import { claims } from "./claims.js";
import { machineOf, setting } from "./facts.js";
import { type Table, type TableCell, tableOf } from "./table.js";

/** Text in which no character means anything to Markdown or HTML. */
const escapeMarkdown = (text: string): string =>
  text
    .replace(/[\\`*_[\]|~#]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replace(/\s+/g, " ");

const line = (texts: readonly string[]): string => `| ${texts.join(" | ")} |`;

const cellText = ({ text, note, best }: TableCell): string =>
  `${best ? `**${escapeMarkdown(text)}**` : escapeMarkdown(text)}${note ? ` (${note})` : ""}`;

const tableText = ({ columns, rows }: Table): string[] => [
  line(["method", ...columns.map(({ head }) => escapeMarkdown(head))]),
  line(["---", ...columns.map(({ align }) => (align === "right" ? "--:" : "---"))]),
  ...rows.map(({ name, cells }) => line([escapeMarkdown(name), ...cells.map(cellText)])),
];

/** The sheets of the first seed, which lie beside the text as results.png. */
const pictureLine = ({ methods, evaluations }: Comparison): string => {
  const names = [...new Set(methods.map(({ name }) => name))].map(escapeMarkdown).join(", ");
  const about = `rows: ${names}; columns: ${evaluations.join(", ")} evaluations, then the longest run where there is one`;
  return `![Samples of seed ${methods[0]?.seed}, ${about}](results.png)`;
};

/** The result of a comparison as a part of a Markdown document: setting, table, what was found. */
export const markdownReport = (comparison: Comparison): string => {
  const found = claims(comparison);
  return [
    `## ${escapeMarkdown(comparison.name)}`,
    "",
    ...[...setting(comparison), machineOf(comparison)].map(([name, text]) => `- ${name}: ${escapeMarkdown(text)}`),
    `- command: \`${comparison.command.replaceAll("`", "'")}\``,
    "",
    ...tableText(tableOf(comparison)),
    "",
    "Bold is the best of its column; lower is better but for accuracy. NFE n: n network evaluations per sample with each",
    "method's usual sampler; own best: any sampler measured; ±: half the range over seeds; –: not measured.",
    "",
    pictureLine(comparison),
    ...(found.length > 0 ? ["", ...found.map((text) => `- ${escapeMarkdown(text)}`)] : []),
    "",
  ].join("\n");
};
