import { smooth } from "../../formats/chart.js";
import { escapeHtml } from "../../formats/escape.js";
import type { Comparison, MethodResult } from "../result.js";
import { linearAxis, logAxis } from "./axes.js";
import { floorOf } from "./facts.js";
import { colourClass, figure } from "./markup.js";
import { number, seedBySeed } from "./numbers.js";
import { type Line, type Point, plot } from "./plot.js";
import { type Choice, type Row, summarise } from "./summary.js";

const isDrawable = (value: number): boolean => Number.isFinite(value) && value > 0;

/** At each number of evaluations the usual choice, or the best of the others where no usual one was measured. */
const alongEvaluations = ({ choices }: Row): readonly Choice[] => {
  const finite = choices.filter(({ main }) => isDrawable(main.least));
  return [...new Set(finite.map(({ evaluations }) => evaluations))].map((n) => {
    const here = finite.filter(({ evaluations }) => evaluations === n);
    return here.find(({ usual }) => usual) ?? here.toSorted((a, b) => a.main.mean - b.main.mean)[0]!;
  });
};

const pointOf = (name: string, { evaluations, sampler, main, usual }: Choice): Point => ({
  x: evaluations,
  y: main.mean,
  low: main.least,
  high: main.most,
  hollow: !usual,
  title: `${name}, NFE ${evaluations}, ${sampler}: ${number(main.mean)}; ${seedBySeed(main)}`,
});

/** What a chart of the main metric has to hold: its points, their error bars and the floor. */
const extent = (lines: readonly Line[], floor: number | undefined): number[] => [
  ...lines.flatMap(({ points }) => points.flatMap(({ y, low = y, high = y }) => [y, low, high])),
  ...(floor === undefined ? [] : [floor]),
];

/** The floor, where a logarithmic axis can show it. */
const shownFloor = (comparison: Comparison): number | undefined => {
  const floor = floorOf(comparison);
  return floor !== undefined && floor > 0 ? floor : undefined;
};

/** The main metric against evaluations; nothing where no number can be drawn. */
export const qualityChart = (comparison: Comparison): string => {
  const { label } = comparison.metric;
  const lines = summarise(comparison)
    .map(({ name }, index, rows): Line => {
      const points = alongEvaluations(rows[index]!).map((choice) => pointOf(name, choice));
      return { name, index, points, style: "plain" };
    })
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return "";
  const floor = shownFloor(comparison);
  const x = logAxis(
    "network evaluations per sample (NFE)",
    lines.flatMap(({ points }) => points.map((p) => p.x)),
    true,
  );
  const y = logAxis(label, extent(lines, floor));
  const drawn = plot({
    title: `${label} against network evaluations per sample, for each method`,
    x,
    y,
    lines,
    ...(floor !== undefined && { floor: [floor, "fresh data"] as const }),
  });
  return figure(
    drawn,
    `${label} against network evaluations, both logarithmic; lower is better. Bars span the seeds. Outlined marks are other samplers than the method's usual one.`,
  );
};

/** The main metric through training, a line for each run; nothing where no number can be drawn. */
export const curveChart = (comparison: Comparison): string => {
  const { metric, curveSamples, methods } = comparison;
  const names = [...new Set(methods.map(({ name }) => name))];
  const lines = methods
    .map(({ name, seed, curve, curveEvaluations }): Line => {
      const title = (step: number, value: number): string => `${name}, seed ${seed}, step ${step}: ${number(value)}`;
      const finite = curve.filter(([, value]) => isDrawable(value));
      const points = finite.map(([x, y]) => ({ x, y, title: title(x, y) }));
      return { name: `${name} @${curveEvaluations}`, index: names.indexOf(name), points, style: "plain" };
    })
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return "";
  const title = `${metric.label} through training, for each method`;
  const x = linearAxis(
    "training step",
    lines.flatMap(({ points }) => points.map((p) => p.x)),
    true,
  );
  return figure(
    plot({ title, x, y: logAxis(metric.label, extent(lines, undefined)), lines }),
    `${metric.label} through training (logarithmic), a line for each seed, with the number of evaluations after @. From ${curveSamples.toLocaleString("en-US")} samples a point: fewer samples score higher, so compare within this chart alone.`,
  );
};

/** The loss of one method's runs on an axis of its own. */
const lossChart = (name: string, index: number, runs: readonly MethodResult[]): string => {
  const raw = runs
    .map(({ loss }) => loss.filter(([, value]) => Number.isFinite(value)))
    .filter(({ length }) => length > 0);
  if (raw.length === 0) return "";
  const toLine = (points: (typeof raw)[number], style: Line["style"]): Line => {
    return { name, index, style, points: points.map(([x, y]) => ({ x, y })) };
  };
  const lines = [
    ...raw.map((points) => toLine(points, "faint")),
    ...raw.map((points) => toLine(smooth({ points }, 0.8), "thin")),
  ];
  const values = raw.flatMap((points) => points.map(([, value]) => value));
  const wide = Math.min(...values) > 0 && Math.max(...values) > 4 * Math.min(...values);
  const y = wide ? logAxis("log", values) : linearAxis("", values);
  const steps = linearAxis(
    "step",
    raw.flatMap((points) => points.map(([step]) => step)),
    true,
  );
  const x = { ...steps, ticks: steps.ticks.filter((_, i) => i % 2 === 0) };
  const drawn = plot({ title: `The loss of ${name} through training`, x, y, lines, small: true });
  return `<figure class="${colourClass(index)}"><figcaption title="${escapeHtml(name)}"><i class="dot"></i>${escapeHtml(name)}</figcaption>\n${drawn}</figure>`;
};

/** A small chart of what each method's training minimised. */
export const lossCharts = ({ methods }: Comparison): string => {
  const names = [...new Set(methods.map(({ name }) => name))];
  const charts = names.map((name, i) =>
    lossChart(
      name,
      i,
      methods.filter((run) => run.name === name),
    ),
  );
  return charts.some((chart) => chart !== "") ? `<div class="small">\n${charts.join("\n")}\n</div>` : "";
};
