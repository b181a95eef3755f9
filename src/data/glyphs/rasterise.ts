import type { Contour } from "./outline.js";

/** Scan lines per pixel row; across, coverage is exact. */
const LINES = 5;

/** Where a scan line meets the contours, from left to right: x, winding, x, winding, … */
type Crossings = number[];

/** Inserts a crossing in its place: a line has few, so they need no general sort. */
const insert = (crossings: Crossings, x: number, winding: number): void => {
  let at = crossings.length;
  while (at > 0 && crossings[at - 2]! > x) {
    crossings[at] = crossings[at - 2]!;
    crossings[at + 1] = crossings[at - 1]!;
    at -= 2;
  }
  crossings[at] = x;
  crossings[at + 1] = winding;
};

/** Crossings of each of `count` scan lines; an edge visits only the lines that it spans. */
const scan = (contours: readonly Contour[], count: number): Crossings[] => {
  const lines: Crossings[] = Array.from({ length: count }, () => []);
  for (const contour of contours) {
    let [x0, y0] = contour.at(-1)!;
    for (const [x1, y1] of contour) {
      const first = Math.max(0, Math.floor(Math.min(y0, y1) * LINES - 0.5));
      const last = Math.min(count - 1, Math.ceil(Math.max(y0, y1) * LINES - 0.5));
      for (let line = first; line <= last; line++) {
        const y = (line + 0.5) / LINES;
        if (y0 <= y === y1 <= y) continue;
        insert(lines[line]!, x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), y1 > y0 ? 1 : -1);
      }
      [x0, y0] = [x1, y1];
    }
  }
  return lines;
};

/** Adds the part of the span [from, to] that covers each pixel of the row that begins at `start`. */
const cover = (coverage: Float32Array, start: number, width: number, from: number, to: number): void => {
  const [left, right] = [Math.max(0, from), Math.min(width, to)];
  for (let x = Math.floor(left); x < right; x++)
    coverage[start + x]! += (Math.min(x + 1, right) - Math.max(x, left)) / LINES;
};

/** Anti-aliased coverage, 0 – 1, of polygons by the non-zero winding rule; coordinates in pixels.   → [height · width] */
export const rasterise = (contours: readonly Contour[], width: number, height: number): Float32Array => {
  const coverage = new Float32Array(width * height);
  scan(contours, height * LINES).forEach((crossings, line) => {
    const start = Math.floor(line / LINES) * width;
    let winding = 0;
    let from = 0;
    for (let i = 0; i < crossings.length; i += 2) {
      if (winding === 0) from = crossings[i]!;
      winding += crossings[i + 1]!;
      if (winding === 0) cover(coverage, start, width, from, crossings[i]!);
    }
  });
  return coverage;
};
