import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colourOf, curves, logarithmic, shortName, shown, shownMetric } from "./state.js";

type Table = uPlot.AlignedData;

/** One column of steps for all runs, and each run's numbers at them; null where it has none. */
const tableOf = (names: readonly string[], metric: string): Table => {
  const tables = names.map((name) => {
    const { steps = [], values = {} } = curves.value[name] ?? {};
    return [steps, values[metric] ?? steps.map(() => null)] as [number[], (number | null)[]];
  });
  if (tables.length === 0) return [[], []];
  const nulls = tables.map(() => [0, 2]); // 2: a step of another run does not break the line
  return uPlot.join(tables, nulls);
};

/** A logarithmic axis has no place for zero and below. */
const positive = (table: Table): Table =>
  table.map((column, i) =>
    i === 0 ? column : Array.from(column, (value) => (value != null && value > 0 ? value : null)),
  ) as unknown as Table;

const ink = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);

const optionsFor = (names: readonly string[], width: number, log: boolean): uPlot.Options => {
  const axis = {
    stroke: ink("--muted"),
    grid: { stroke: ink("--line"), width: 1 },
    ticks: { stroke: ink("--line"), width: 1 },
  };
  return {
    width,
    height: Math.max(220, Math.min(420, width * 0.55)),
    scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
    axes: [axis, { ...axis, size: 64 }],
    series: [
      { label: "step" },
      ...names.map((name) => ({
        label: shortName(name),
        stroke: colourOf(name),
        width: 2,
        spanGaps: true,
        points: { show: false },
      })),
    ],
  };
};

const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Builds the chart, and again when the window or the colours change. */
const mount = (place: HTMLElement, names: readonly string[], table: Table, log: boolean): (() => void) => {
  let chart: uPlot | undefined;
  const draw = (): void => {
    chart?.destroy();
    chart = new uPlot(optionsFor(names, place.clientWidth, log), log ? positive(table) : table, place);
  };
  const observer = new ResizeObserver(() => {
    if (chart?.width !== place.clientWidth) draw();
  });
  draw();
  observer.observe(place);
  DARK.addEventListener("change", draw);
  return () => {
    observer.disconnect();
    DARK.removeEventListener("change", draw);
    chart?.destroy();
  };
};

/** The chosen metric of the chosen runs over steps. */
export const Chart = () => {
  const place = useRef<HTMLDivElement>(null);
  const [names, name, log] = [shown.value, shownMetric.value, logarithmic.value];
  const table = tableOf(names, name);
  const points = names.map((own) => curves.value[own]?.steps.length ?? 0);
  const key = JSON.stringify([names, name, log, points]);
  useEffect(() => (place.current ? mount(place.current, names, table, log) : undefined), [key]);
  return <div ref={place} class="chart" data-testid="chart" data-points={table[0].length} />;
};
