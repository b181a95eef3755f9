import type { Comparison } from "../result.js";
import { duration, gigabytes, number, percent, seedBySeed, spread, times } from "./numbers.js";
import type { Choice, Row, Spread } from "./summary.js";

/** What a column says of a method; `value` is what the best is found by. */
export type Entry = { readonly value?: number; readonly text: string; readonly note?: string; readonly title?: string };

/** What a column is about: the main metric, a second one, or the cost of training. Narrow tables show some of the groups. */
export type ColumnGroup = "quality" | "second" | "cost";

/** A column of the table: `entry` reads it from a row. */
export type Column = {
  readonly head: string;
  readonly about: string;
  readonly group: ColumnGroup;
  readonly align: "left" | "right";
  /** Which end is the best one; undefined for columns without a best. */
  readonly better?: "less" | "more";
  readonly entry: (row: Row) => Entry;
};

/** What is shown where nothing was measured. */
export const NONE = "–";

const withSampler = (choice: Choice): string =>
  `${seedBySeed(choice.main)}; ${choice.sampler}, ${choice.steps} ${choice.steps === 1 ? "step" : "steps"}`;

const mainEntry = (choice: Choice | undefined): Entry =>
  choice ? { value: choice.main.mean, text: spread(choice.main), title: withSampler(choice) } : { text: NONE };

const quality = { group: "quality", align: "right", better: "less" } as const;
const cost = { group: "cost", align: "right", better: "less" } as const;

const evaluationColumns = ({ evaluations, metric }: Comparison): Column[] =>
  evaluations.map((n, i) => ({
    ...quality,
    head: `NFE ${n}`,
    about: `${metric.label} with ${n} network ${n === 1 ? "evaluation" : "evaluations"} per sample, usual sampler`,
    entry: ({ columns }) => mainEntry(columns[i]),
  }));

const bestColumns: readonly Column[] = [
  {
    ...quality,
    head: "own best",
    about: "the lowest of all samplers and numbers of evaluations measured",
    entry: ({ best }) => mainEntry(best),
  },
  {
    group: "quality",
    align: "left",
    head: "with",
    about: "evaluations and sampler of the method's own best",
    entry: ({ best }) => ({ text: best ? `${best.evaluations} ${best.sampler}` : NONE }),
  },
];

/** The second metric, with one evaluation and at the method's own best; none where no sample has it. */
const secondColumns = (rows: readonly Row[]): Column[] => {
  const key = (["accuracy", "energy"] as const).find((each) =>
    rows.some(({ choices }) => choices.some((c) => c[each])),
  );
  if (key === undefined) return [];
  const [format, unit] = key === "accuracy" ? [percent, "%"] : [number, ""];
  const entryOf = (of: Spread | undefined): Entry =>
    of ? { value: of.mean, text: `${spread(of, format)}${unit}`, title: seedBySeed(of, format) } : { text: NONE };
  const column = { ...quality, group: "second", better: key === "accuracy" ? "more" : "less" } as const;
  const one = ({ choices }: Row): Choice | undefined => choices.find((c) => c.usual && c.evaluations === 1);
  return [
    { ...column, head: `${key} @1`, about: `${key} with one evaluation`, entry: (row) => entryOf(one(row)?.[key]) },
    { ...column, head: "@best", about: `${key} at the method's own best`, entry: ({ best }) => entryOf(best?.[key]) },
  ];
};

/** Optimiser steps, where they are not the same for all: a budget in seconds. */
const stepsColumns = (rows: readonly Row[]): Column[] => {
  const counts = new Set(rows.flatMap(({ steps }) => steps.values.map(({ value }) => value)));
  if (counts.size === 1) return [];
  const entry = ({ steps }: Row): Entry => ({ text: steps.mean.toFixed(0), title: seedBySeed(steps, String) });
  return [{ group: "cost", align: "right", head: "steps", about: "optimiser steps taken (mean over seeds)", entry }];
};

const costColumns: readonly Column[] = [
  {
    ...cost,
    head: "s/step",
    about: "seconds per training step (median), and as a multiple of the fastest",
    entry: ({ secondsPerStep, stepRatio }) => ({
      value: secondsPerStep,
      text: number(secondsPerStep),
      note: times(stepRatio),
    }),
  },
  {
    ...cost,
    head: "peak GB",
    about: "largest memory of the training process, and as a multiple of the smallest",
    entry: ({ peakMemory, memoryRatio }) => ({
      value: peakMemory,
      text: gigabytes(peakMemory),
      note: times(memoryRatio),
    }),
  },
  {
    ...cost,
    head: "training",
    about: "time to train from one seed (mean)",
    entry: ({ trainingSeconds }) => ({ value: trainingSeconds, text: duration(trainingSeconds) }),
  },
];

/** The columns of a comparison with these rows. */
export const columnsOf = (comparison: Comparison, rows: readonly Row[]): readonly Column[] => [
  ...evaluationColumns(comparison),
  ...bestColumns,
  ...secondColumns(rows),
  ...stepsColumns(rows),
  ...costColumns,
];
