import { escapeHtml } from "../../formats/escape.js";
import type { Cell, Comparison, MethodResult } from "../result.js";
import { NONE } from "./columns.js";
import { colourClass, scrolling } from "./markup.js";
import { number } from "./numbers.js";

const picture = ({ name, seed }: MethodResult, { sheet, sampler, evaluations }: Cell): string =>
  `<img loading="lazy" src="${escapeHtml(sheet)}" alt="${escapeHtml(`Samples of ${name} from seed ${seed}, NFE ${evaluations}, sampler ${sampler}`)}">`;

/** A sheet with the sampler and its number under it. */
const sheetOf = (run: MethodResult, cell: Cell | undefined, { metric }: Comparison): string => {
  if (!cell) return `<td class="none">${NONE}</td>`;
  const value: number | null | undefined = cell.metrics[metric.key];
  const caption = `${cell.sampler} · ${value === undefined ? NONE : number(value ?? Number.NaN)}`;
  return `<td><figure>${picture(run, cell)}<figcaption>${escapeHtml(caption)}</figcaption></figure></td>`;
};

/** The cell with the most evaluations beyond the table's columns. */
const beyond = ({ cells }: MethodResult, evaluations: readonly number[]): Cell | undefined =>
  cells
    .filter((cell) => cell.evaluations > Math.max(...evaluations))
    .toSorted((a, b) => b.evaluations - a.evaluations)[0];

/** Sheets side by side: a row for each method, from its first seed, a column for each number of evaluations. */
export const sheets = (comparison: Comparison): string => {
  const { evaluations, methods } = comparison;
  const names = [...new Set(methods.map(({ name }) => name))];
  const runs = names.map((name) => methods.find((run) => run.name === name)!);
  const more = runs.map((run) => beyond(run, evaluations));
  const most = [...new Set(more.flatMap((cell) => cell?.evaluations ?? []))].toSorted((a, b) => a - b);
  const last = most.length > 0;
  const heads = [...evaluations.map((n) => `NFE ${n}`), ...(last ? [`NFE ${most.join(" or ")}`] : [])];
  const rows = runs.map((run, i) => {
    const usual = evaluations.map((n) => run.cells.find((cell) => cell.usual && cell.evaluations === n));
    const cells = [...usual, ...(last ? [more[i]] : [])].map((cell) => sheetOf(run, cell, comparison));
    return `<tr><th scope="row" class="${colourClass(i)}"><i class="dot"></i>${escapeHtml(run.name)}</th>${cells.join("")}</tr>`;
  });
  const head = `<tr><td></td>${heads.map((text) => `<th scope="col">${text}</th>`).join("")}</tr>`;
  return scrolling(
    "Samples",
    `<table class="sheets"><thead>${head}</thead>\n<tbody>\n${rows.join("\n")}\n</tbody></table>`,
  );
};
