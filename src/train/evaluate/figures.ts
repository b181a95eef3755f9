import type { Interval } from "../../eval/index.js";
import type { FeatureExtractor } from "./extractor.js";
import type { Results } from "./results.js";

/** Name of the Fréchet distance: of other features than Inception's it is no FID, and carries their name and hash. */
export const metricName = ({ name, hash }: Pick<FeatureExtractor, "name" | "hash">): string =>
  name === "inception" ? "FID" : `FD-${name}-${hash}`;

/** Whether a number of a run is such a distance. */
export const isFigure = (name: string): boolean => /^(FID$|FD-)/.test(name);

/** One number of an evaluation, as it is shown. */
export type Figure = {
  readonly name: string;
  readonly value: number;
  /** Standard deviation, and over what. */
  readonly deviation?: readonly [value: number, over: string];
  /** Of a share: 95 % of such intervals hold the true one. */
  readonly interval?: Interval;
};

type Row = readonly [name: string, value: number | undefined, more?: Partial<Figure>];

/** The figures of an evaluation that it has, in order. */
export const figuresOf = ({ metric, scores, floor }: Pick<Results, "metric" | "scores" | "floor">): Figure[] => {
  const { frechet, spatialFrechet, kernel, precision, recall, inceptionScore, accuracy, intervals = {} } = scores;
  const rows: Row[] = [
    [metric, frechet],
    [metric === "FID" ? "sFID" : `${metric}, places kept`, spatialFrechet],
    [
      metric === "FID" ? "KID" : "kernel distance",
      kernel?.mean,
      kernel && { deviation: [kernel.deviation, "subsets"] },
    ],
    ["precision", precision, intervals.precision && { interval: intervals.precision }],
    ["recall", recall, intervals.recall && { interval: intervals.recall }],
    ["Inception Score", inceptionScore?.mean, inceptionScore && { deviation: [inceptionScore.deviation, "splits"] }],
    ["label accuracy", accuracy, intervals.accuracy && { interval: intervals.accuracy }],
    ["reference, one half to the other", floor],
  ];
  return rows.flatMap(([name, value, more]) => (value === undefined ? [] : [{ name, value, ...more }]));
};

const short = (value: number): string => String(Number(value.toPrecision(5)));

/** A figure's value with what is known of its spread. */
export const figureText = ({ value, deviation, interval }: Figure): string =>
  [
    short(value),
    ...(deviation ? [`± ${short(deviation[0])} over ${deviation[1]}`] : []),
    ...(interval ? [`(95 %: ${short(interval.low)} to ${short(interval.high)})`] : []),
  ].join(" ");
