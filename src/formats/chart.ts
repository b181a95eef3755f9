import { escapeHtml } from "./escape.js";

/** A line of a chart: points in order of x; y above 0, since the axis is logarithmic. */
export type Series = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] };

const SIZE = { width: 720, height: 360, left: 64, right: 150, top: 36, bottom: 44 } as const;
const COLOURS = ["#2f6fde", "#d9572b", "#2a9d63", "#8a4fc9"] as const;

/** 1, 2 and 5 times powers of ten between two values. */
export const logTicks = (low: number, high: number): number[] => {
  const powers = Array.from({ length: 40 }, (_, i) => 10 ** (i - 20));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((tick) => tick >= low && tick <= high);
};

/** About six round numbers from `low` to `high`. */
export const linearTicks = (high: number, low = 0): number[] => {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
};

/** The exponential moving average of a series, so that its course shows through the noise; corrected for its start. */
export const smooth = ({ points }: Pick<Series, "points">, keep: number): (readonly [number, number])[] => {
  let [sum, weight] = [0, 0];
  return points.map(([x, y]) => {
    sum = keep * sum + (1 - keep) * y;
    weight = keep * weight + (1 - keep);
    return [x, sum / weight] as const;
  });
};

/** Ticks of a logarithmic axis; where it spans too little for round powers, evenly spaced ones. */
const axisTicks = (low: number, high: number): number[] => {
  const ticks = logTicks(low, high);
  return ticks.length > 2 ? ticks : linearTicks(high, low);
};

/**
 * An SVG with a line for each series over its raw values, y on a logarithmic axis. `keep`: how much of the line's past stays
 * in its average; 0 draws the values as they are.
 */
export const chart = (title: string, xName: string, series: readonly Series[], keep = 0.9): string => {
  const all = series.flatMap(({ points }) => points).filter(([, y]) => y > 0);
  const [low, high] = [Math.min(...all.map(([, y]) => y)) / 1.1, Math.max(...all.map(([, y]) => y)) * 1.1];
  const last = Math.max(...all.map(([x]) => x));
  const { width, height, left, right, top, bottom } = SIZE;
  const toX = (x: number): number => left + (x / last) * (width - left - right);
  const toY = (y: number): number => top + (Math.log(high / y) / Math.log(high / low)) * (height - top - bottom);
  const line = (points: readonly (readonly [number, number])[], style: string): string =>
    `<polyline fill="none" ${style} points="${points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(" ")}"/>`;
  const rows = axisTicks(low, high).map(
    (y) =>
      `<line x1="${left}" x2="${width - right}" y1="${toY(y)}" y2="${toY(y)}" stroke="#8884"/><text x="${left - 8}" y="${toY(y) + 4}" text-anchor="end">${Number(y.toPrecision(3))}</text>`,
  );
  const columns = linearTicks(last).map(
    (x) => `<text x="${toX(x)}" y="${height - bottom + 18}" text-anchor="middle">${x}</text>`,
  );
  const lines = series.map((one, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const label = `<text x="${width - right + 12}" y="${top + 12 + 18 * i}" fill="${colour}">${escapeHtml(one.name)}</text>`;
    return `${line(one.points, `stroke="${colour}" opacity="0.25"`)}${line(smooth(one, keep), `stroke="${colour}" stroke-width="2"`)}${label}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#777">
<title>${escapeHtml(title)}</title>
<text x="${left}" y="20" font-size="14">${escapeHtml(title)}</text>
${rows.join("\n")}
${columns.join("\n")}
<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escapeHtml(xName)}</text>
${lines.join("\n")}
</svg>
`;
};
