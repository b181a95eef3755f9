import type { Cell, Comparison, MethodResult, Metrics } from "../result.js";

export type SeedValue = { readonly seed: number; readonly value: number };

/** A number over seeds. One seed without a finite value makes mean, least and most NaN: it is not left out of the mean. */
export type Spread = {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
  /** At least one, in the order of the runs. */
  readonly values: readonly SeedValue[];
};

/** One way to draw from a method, over the seeds that were measured with it. */
export type Choice = Pick<Cell, "evaluations" | "sampler" | "steps" | "usual"> & {
  /** The metric of the comparison, `Comparison.metric.key`. */
  readonly main: Spread;
  readonly accuracy?: Spread;
  readonly energy?: Spread;
};

/** One method of a comparison, over its seeds. */
export type Row = {
  readonly name: string;
  readonly kind: string;
  readonly seeds: readonly number[];
  /** The usual sampler's choice at each of `Comparison.evaluations`; undefined where it was not measured. */
  readonly columns: readonly (Choice | undefined)[];
  /** Every choice, by rising evaluations; the usual one first. */
  readonly choices: readonly Choice[];
  /** The choice with the lowest mean, among those measured from every seed. */
  readonly best: Choice | undefined;
  readonly steps: Spread;
  /** Median over seeds. */
  readonly secondsPerStep: number;
  /** Largest over seeds, bytes. */
  readonly peakMemory: number;
  /** Mean over seeds. */
  readonly trainingSeconds: number;
  readonly parameters: number;
  /** Seconds per step, and memory, as multiples of the cheapest method's. */
  readonly stepRatio: number;
  readonly memoryRatio: number;
};

/** Numbers over seeds; undefined for none. */
export const spreadOf = (values: readonly SeedValue[]): Spread | undefined => {
  if (values.length === 0) return undefined;
  const numbers = values.map(({ value }) => value);
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return { mean, least: Math.min(...numbers), most: Math.max(...numbers), values };
};

/** The middle one, or the mean of the two in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
};

/** A metric of a cell; NaN for one that was measured and is not finite, which a JSON file holds as null. */
const metricOf = ({ metrics }: Cell, key: keyof Metrics): number | undefined => {
  const value: number | null | undefined = metrics[key];
  return value === undefined || Number.isFinite(value) ? (value ?? undefined) : Number.NaN;
};

const keyOf = ({ evaluations, sampler, steps }: Cell): string => `${evaluations} ${sampler} ${steps}`;

type SeedCell = { readonly seed: number; readonly cell: Cell };

const overSeeds = (cells: readonly SeedCell[], key: keyof Metrics): Spread | undefined =>
  spreadOf(
    cells.flatMap(({ seed, cell }) => {
      const value = metricOf(cell, key);
      return value === undefined ? [] : [{ seed, value }];
    }),
  );

/** The choice that a key names, from the runs that have it; undefined without the main metric. */
const choiceOf = (runs: readonly MethodResult[], key: string, metric: keyof Metrics): Choice | undefined => {
  const named = (run: MethodResult): Cell[] => run.cells.filter((cell) => keyOf(cell) === key);
  const cells = runs.flatMap((run) =>
    named(run)
      .slice(0, 1)
      .map((cell) => ({ seed: run.seed, cell })),
  );
  const { evaluations, sampler, steps } = cells[0]!.cell;
  const usual = runs.some((run) => named(run).some((cell) => cell.usual));
  const [main, accuracy, energy] = ([metric, "accuracy", "energy"] as const).map((each) => overSeeds(cells, each));
  return main && { evaluations, sampler, steps, usual, main, ...(accuracy && { accuracy }), ...(energy && { energy }) };
};

const choicesOf = (runs: readonly MethodResult[], metric: keyof Metrics): readonly Choice[] =>
  [...new Set(runs.flatMap(({ cells }) => cells.map(keyOf)))]
    .flatMap((key) => choiceOf(runs, key, metric) ?? [])
    .toSorted((a, b) => a.evaluations - b.evaluations || Number(b.usual) - Number(a.usual));

/** The lowest mean; a choice measured from fewer seeds counts only where none was measured from all. */
const bestOf = (choices: readonly Choice[], seeds: number): Choice | undefined => {
  const finite = choices.filter(({ main }) => Number.isFinite(main.mean));
  const whole = finite.filter(({ main }) => main.values.length === seeds);
  return (whole.length > 0 ? whole : finite).toSorted((a, b) => a.main.mean - b.main.mean)[0];
};

type Part = Omit<Row, "stepRatio" | "memoryRatio">;

const partOf = (runs: readonly MethodResult[], { evaluations, metric }: Comparison): Part => {
  const { name, kind, parameters } = runs[0]!;
  const choices = choicesOf(runs, metric.key);
  const each = (read: (run: MethodResult) => number): number[] => runs.map(read);
  const spread = (read: (run: MethodResult) => number): Spread =>
    spreadOf(runs.map((run) => ({ seed: run.seed, value: read(run) })))!;
  return {
    name,
    kind,
    seeds: each(({ seed }) => seed),
    columns: evaluations.map((n) => choices.find((choice) => choice.usual && choice.evaluations === n)),
    choices,
    best: bestOf(choices, runs.length),
    steps: spread(({ steps }) => steps),
    secondsPerStep: median(each(({ secondsPerStep }) => secondsPerStep)),
    peakMemory: Math.max(...each(({ peakMemory }) => peakMemory)),
    trainingSeconds: spread(({ trainingSeconds }) => trainingSeconds).mean,
    parameters,
  };
};

/** The rows of a comparison, one for each method name, in the order they first appear. */
export const summarise = (comparison: Comparison): readonly Row[] => {
  const names = [...new Set(comparison.methods.map(({ name }) => name))];
  const parts = names.map((name) =>
    partOf(
      comparison.methods.filter((run) => run.name === name),
      comparison,
    ),
  );
  const fastest = Math.min(...parts.map(({ secondsPerStep }) => secondsPerStep));
  const smallest = Math.min(...parts.map(({ peakMemory }) => peakMemory));
  return parts.map((part) => ({
    ...part,
    stepRatio: part.secondsPerStep / fastest,
    memoryRatio: part.peakMemory / smallest,
  }));
};
