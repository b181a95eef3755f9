import { escapeHtml } from "../../formats/escape.js";
import type { Comparison } from "../result.js";
import { type ColumnGroup, NONE } from "./columns.js";
import { colourClass, scrolling } from "./markup.js";
import { number, percent, spread } from "./numbers.js";
import { type Choice, type Spread, summarise } from "./summary.js";
import { onlyGroups, type TableCell, tableOf } from "./table.js";

const titleOf = (title: string | undefined): string => (title ? ` title="${escapeHtml(title)}"` : "");

const cellHtml = ({ text, note, title, best }: TableCell, align: string): string =>
  `<td class="${align}${text === NONE ? " none" : ""}"${titleOf(title)}>${best ? `<strong>${escapeHtml(text)}</strong>` : escapeHtml(text)}${note ? ` <small>${escapeHtml(note)}</small>` : ""}</td>`;

const rowHead = (name: string, index: number): string =>
  `<th scope="row" class="${colourClass(index)}"><i class="dot"></i>${escapeHtml(name)}</th>`;

/** The groups of the main table, best of each column emphasised, the numbers behind a cell as its title. */
export const groupsTable = (comparison: Comparison, label: string, ...groups: readonly ColumnGroup[]): string => {
  const { columns, rows } = onlyGroups(tableOf(comparison), ...groups);
  const heads = columns.map(
    ({ head, about, align }) => `<th scope="col" class="${align}"${titleOf(about)}>${escapeHtml(head)}</th>`,
  );
  const body = rows.map(
    ({ name, cells }, i) =>
      `<tr>${rowHead(name, i)}${cells.map((cell, k) => cellHtml(cell, columns[k]!.align)).join("")}</tr>`,
  );
  return scrolling(
    label,
    `<table class="numbers"><thead><tr><th scope="col">method</th>${heads.join("")}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody></table>`,
  );
};

const bySeed = ({ values }: Spread): string => values.map(({ seed, value }) => `${seed}: ${number(value)}`).join(", ");

type Read = { readonly head: string; readonly text: (choice: Choice) => string; readonly align: "left" | "right" };

/** Columns of the long table; accuracy and energy where any sample has them. */
const choiceColumns = ({ metric }: Comparison, all: readonly Choice[]): readonly Read[] => [
  { head: "NFE", align: "right", text: ({ evaluations }) => String(evaluations) },
  { head: "sampler", align: "left", text: ({ sampler, usual }) => `${sampler}${usual ? " (usual)" : ""}` },
  { head: "steps", align: "right", text: ({ steps }) => String(steps) },
  { head: metric.label, align: "right", text: ({ main }) => spread(main) },
  ...(all.some(({ accuracy }) => accuracy)
    ? [
        {
          head: "accuracy, %",
          align: "right",
          text: (c: Choice) => (c.accuracy ? spread(c.accuracy, percent) : NONE),
        } as const,
      ]
    : []),
  ...(all.some(({ energy }) => energy)
    ? [{ head: "energy", align: "right", text: (c: Choice) => (c.energy ? spread(c.energy) : NONE) } as const]
    : []),
  { head: "by seed", align: "left", text: ({ main }) => bySeed(main) },
];

/** Every way to draw that was measured, of every method. */
export const choicesTable = (comparison: Comparison): string => {
  const rows = summarise(comparison);
  const columns = choiceColumns(
    comparison,
    rows.flatMap(({ choices }) => choices),
  );
  const heads = columns.map(({ head, align }) => `<th scope="col" class="${align}">${escapeHtml(head)}</th>`);
  const body = rows.flatMap(({ name, choices, best }, i) =>
    choices.map((choice, k) => {
      const cells = columns.map(({ text, align }) => `<td class="${align}">${escapeHtml(text(choice))}</td>`);
      const marks = [...(k === 0 ? ["first"] : []), ...(choice === best ? ["best"] : [])];
      return `<tr${marks.length > 0 ? ` class="${marks.join(" ")}"` : ""}>${rowHead(name, i)}${cells.join("")}</tr>`;
    }),
  );
  const table = `<table class="numbers long"><thead><tr><th scope="col">method</th>${heads.join("")}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody></table>`;
  return `<details><summary>All ${body.length} measurements, each method's best emphasised</summary>\n${scrolling("All measurements", table)}\n</details>`;
};
