import type { Comparison } from "../result.js";
import { type Column, type ColumnGroup, columnsOf, type Entry } from "./columns.js";
import { summarise } from "./summary.js";

/** A cell: `note` is smaller print after the text, `title` the numbers behind it. */
export type TableCell = Omit<Entry, "value"> & { readonly best: boolean };

/** The table of a comparison, before it is laid out for a terminal, Markdown or HTML. */
export type Table = {
  readonly columns: readonly Omit<Column, "entry">[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly TableCell[] }[];
};

/** The best of some values, several where they are equal; values that are not finite are never the best. */
const bestAmong = (
  values: readonly (number | undefined)[],
  better: "less" | "more" | undefined,
): readonly boolean[] => {
  const finite = values.filter((value): value is number => Number.isFinite(value));
  const best = better === "more" ? Math.max(...finite) : Math.min(...finite);
  return values.map((value) => better !== undefined && value === best);
};

/** A table with the columns of some groups alone. */
export const onlyGroups = ({ columns, rows }: Table, ...groups: readonly ColumnGroup[]): Table => {
  const kept = <T>(all: readonly T[]): T[] => all.filter((_, i) => groups.includes(columns[i]!.group));
  return { columns: kept(columns), rows: rows.map(({ name, cells }) => ({ name, cells: kept(cells) })) };
};

/** The table of a comparison. */
export const tableOf = (comparison: Comparison): Table => {
  const rows = summarise(comparison);
  const columns = columnsOf(comparison, rows);
  const byColumn = columns.map(({ entry, better }) => {
    const entries = rows.map(entry);
    const best = bestAmong(
      entries.map(({ value }) => value),
      better,
    );
    return entries.map(({ value: _, ...shown }, i) => ({ ...shown, best: best[i]! }));
  });
  return {
    columns: columns.map(({ entry: _, ...column }) => column),
    rows: rows.map(({ name }, i) => ({ name, cells: byColumn.map((cells) => cells[i]!) })),
  };
};
