import { escapeHtml } from "../../formats/escape.js";
import type { Axis } from "./axes.js";
import { colourClass, shorten } from "./markup.js";
import { tick } from "./numbers.js";

/** A point of a line; `low` and `high` are the ends of its error bar. */
export type Point = {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
  /** Drawn as an outline. */
  readonly hollow?: boolean;
  readonly title?: string;
};

export type Line = {
  readonly name: string;
  /** The method's place in the comparison: its colour and its mark. */
  readonly index: number;
  readonly points: readonly Point[];
  /** `plain` has marks at its points, `thin` has none, `faint` is a background to others. */
  readonly style: "plain" | "thin" | "faint";
};

export type Plot = {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** A value of y to mark across the plot, with its name. */
  readonly floor?: readonly [value: number, name: string];
  /** The name of y stands in the corner, those of x and the lines nowhere. */
  readonly small?: boolean;
};

type Frame = Readonly<Record<"width" | "height" | "left" | "right" | "top" | "bottom", number>>;

const LARGE: Frame = { width: 580, height: 360, left: 50, right: 206, top: 12, bottom: 46 };
const SMALL: Frame = { width: 200, height: 136, left: 34, right: 8, top: 8, bottom: 24 };
/** Least distance between the names of lines. */
const LABEL_STEP = 18;

/** Marks of about equal weight around the origin, one for each colour. */
const MARKS = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  "M-3.6-3.6h7.2v7.2h-7.2z",
  "M0-5L4.6 3.4H-4.6z",
  "M0-5.2L5.2 0L0 5.2L-5.2 0z",
  "M0 5L4.6-3.4H-4.6z",
  "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
  "M-5-2.6h10v5.2h-10z",
  "M-2.6-5h5.2v10h-5.2z",
] as const;

const round = (value: number): string => String(Number(value.toFixed(1)));

/** The mark of a method at a place. */
const mark = (index: number, x: number, y: number, hollow = false, title = ""): string =>
  `<path class="mark${hollow ? " hollow" : ""}" transform="translate(${round(x)} ${round(y)})" d="${MARKS[index % MARKS.length]}">${title && `<title>${escapeHtml(title)}</title>`}</path>`;

type Place = { readonly toX: (x: number) => number; readonly toY: (y: number) => number; readonly frame: Frame };

const placeOf = ({ x, y, small }: Plot): Place => {
  const frame = small ? SMALL : LARGE;
  const { width, height, left, right, top, bottom } = frame;
  return {
    toX: (value) => left + x.place(value) * (width - left - right),
    toY: (value) => top + (1 - y.place(value)) * (height - top - bottom),
    frame,
  };
};

const axes = ({ x, y, small }: Plot, { toX, toY, frame }: Place): string[] => {
  const { width, height, left, right, top, bottom } = frame;
  const rows = y.ticks.map((value) => {
    const at = round(toY(value));
    return `<path class="rule" d="M${left} ${at}H${width - right}"/><text x="${left - 7}" y="${at}" dy=".35em" text-anchor="end">${tick(value)}</text>`;
  });
  const columns = x.ticks.map(
    (value) => `<text x="${round(toX(value))}" y="${height - bottom + 18}" text-anchor="middle">${tick(value)}</text>`,
  );
  const name = `<text class="name" x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escapeHtml(x.name)}</text>`;
  const corner = `<text class="name" x="${width - right}" y="${top + 10}" text-anchor="end">${escapeHtml(y.name)}</text>`;
  return [...rows, ...columns, small ? corner : name];
};

const errorBar = ({ x, low, high }: Point, { toX, toY }: Place): string =>
  low === undefined || high === undefined || low === high
    ? ""
    : `<path class="bar" d="M${round(toX(x))} ${round(toY(low))}V${round(toY(high))}"/>`;

const drawLine = ({ index, points, style }: Line, place: Place): string => {
  const { toX, toY } = place;
  const line = `<polyline class="${style}" points="${points.map(({ x, y }) => `${round(toX(x))},${round(toY(y))}`).join(" ")}"/>`;
  const marks =
    style === "plain" ? points.map((p) => errorBar(p, place) + mark(index, toX(p.x), toY(p.y), p.hollow, p.title)) : [];
  return `<g class="${colourClass(index)}">${line}${marks.join("")}</g>`;
};

/** Heights at least a step apart, in the same order, near those wanted and inside [top, bottom]. */
export const spreadOut = (wanted: readonly number[], step: number, top: number, bottom: number): readonly number[] => {
  const order = wanted.map((_, i) => i).toSorted((a, b) => wanted[a]! - wanted[b]!);
  const placed: number[] = [...wanted];
  order.forEach((i, k) => {
    placed[i] = Math.max(wanted[i]!, k === 0 ? top : placed[order[k - 1]!]! + step);
  });
  order.toReversed().forEach((i, k, up) => {
    placed[i] = Math.min(placed[i]!, k === 0 ? bottom : placed[up[k - 1]!]! - step);
  });
  return placed;
};

/** The name of each method to the right, once, at about the height where its line ends. */
const labels = (lines: readonly Line[], { toY, frame }: Place): string[] => {
  const { width, height, right, top, bottom } = frame;
  const named = lines.filter(({ index }, i) => lines.findIndex((line) => line.index === index) === i);
  const heights = spreadOut(
    named.map(({ points }) => toY(points.at(-1)!.y)),
    LABEL_STEP,
    top + 6,
    height - bottom - 4,
  );
  const x = width - right + 16;
  return named.map(({ name, index }, i) => {
    const text = `<text class="label" x="${x + 11}" y="${round(heights[i]!)}" dy=".35em">${escapeHtml(shorten(name, 24))}</text>`;
    return `<g class="${colourClass(index)}">${mark(index, x, heights[i]!)}${text}</g>`;
  });
};

const floorLine = ([value, name]: readonly [number, string], { toY, frame }: Place): string => {
  const [at, end] = [round(toY(value)), frame.width - frame.right];
  return `<path class="floor" d="M${frame.left} ${at}H${end}"/><text class="name" x="${end - 4}" y="${round(toY(value) - 6)}" text-anchor="end">${escapeHtml(name)}</text>`;
};

/** A line plot as an SVG element for the page, whose style sheet colours it. */
export const plot = (of: Plot): string => {
  const place = placeOf(of);
  const { width, height } = place.frame;
  const parts = [
    ...axes(of, place),
    ...(of.floor ? [floorLine(of.floor, place)] : []),
    ...of.lines.map((line) => drawLine(line, place)),
    ...(of.small ? [] : labels(of.lines, place)),
  ];
  return `<svg role="img" viewBox="0 0 ${width} ${height}"><title>${escapeHtml(of.title)}</title>\n${parts.join("\n")}\n</svg>`;
};
