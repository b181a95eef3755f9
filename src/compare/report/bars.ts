import { escapeHtml } from "../../formats/escape.js";
import type { Comparison } from "../result.js";
import { colourClass, figure, shorten } from "./markup.js";
import { gigabytes, number, times } from "./numbers.js";
import { type Row, summarise } from "./summary.js";

/** One bar: its length is in proportion to `value`; `text` stands at its end. */
type Bar = { readonly name: string; readonly index: number; readonly value: number; readonly text: string };

const WIDTH = 430;
const NAMES = 152;
const VALUES = 108;
const STEP = 27;
const THICK = 15;

/** Horizontal bars from zero, as an SVG element for the page. */
const bars = (title: string, all: readonly Bar[]): string => {
  const most = Math.max(...all.map(({ value }) => value).filter(Number.isFinite), Number.MIN_VALUE);
  const rows = all.map(({ name, index, value, text }, i) => {
    const length = Number.isFinite(value) ? ((WIDTH - NAMES - VALUES) * value) / most : 0;
    const y = i * STEP + 6;
    const middle = y + THICK / 2;
    return `<g class="${colourClass(index)}"><text class="label" x="${NAMES - 8}" y="${middle}" dy=".35em" text-anchor="end">${escapeHtml(shorten(name, 21))}</text><rect x="${NAMES}" y="${y}" width="${length.toFixed(1)}" height="${THICK}" rx="1.5"/><text class="label" x="${(NAMES + length + 7).toFixed(1)}" y="${middle}" dy=".35em">${escapeHtml(text)}</text></g>`;
  });
  return `<svg class="bars" role="img" viewBox="0 0 ${WIDTH} ${all.length * STEP + 4}"><title>${escapeHtml(title)}</title>\n${rows.join("\n")}\n</svg>`;
};

/** Bars of seconds per step and of memory. */
export const costCharts = (comparison: Comparison): string => {
  const rows = summarise(comparison);
  const bar = (read: (row: Row) => { value: number; text: string }) =>
    rows.map((row, index) => ({ name: row.name, index, ...read(row) }));
  const time = bar(({ secondsPerStep, stepRatio }) => ({
    value: secondsPerStep,
    text: `${number(secondsPerStep)} s, ${times(stepRatio)}`,
  }));
  const memory = bar(({ peakMemory, memoryRatio }) => ({
    value: peakMemory,
    text: `${gigabytes(peakMemory)} GB, ${times(memoryRatio)}`,
  }));
  return `<div class="pair">\n${figure(bars("Seconds per training step", time), "Seconds per training step, and as a multiple of the fastest method's.")}\n${figure(bars("Largest memory of training", memory), "Largest memory of the training process, and as a multiple of the smallest.")}\n</div>`;
};
