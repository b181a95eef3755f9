import type { Contour } from "./outline.js";

/** Scan lines per pixel row; across, coverage is exact. */
const LINES = 5;

/** Where a horizontal line meets the contours: position and direction of each crossing, from left to right. */
const crossings = (contours: readonly Contour[], y: number): { x: number; winding: number }[] => {
  const found: { x: number; winding: number }[] = [];
  for (const contour of contours)
    for (let i = 0; i < contour.length; i++) {
      const [x0, y0] = contour[i]!;
      const [x1, y1] = contour[(i + 1) % contour.length]!;
      if (y0 <= y === y1 <= y) continue;
      found.push({ x: x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), winding: y1 > y0 ? 1 : -1 });
    }
  return found.sort((a, b) => a.x - b.x);
};

/** Adds the part of the span [from, to] that covers each pixel of a row. */
const cover = (row: Float32Array, from: number, to: number): void => {
  const [left, right] = [Math.max(0, from), Math.min(row.length, to)];
  for (let x = Math.floor(left); x < right; x++) row[x]! += (Math.min(x + 1, right) - Math.max(x, left)) / LINES;
};

/** Anti-aliased coverage, 0 – 1, of polygons by the non-zero winding rule; coordinates in pixels.   → [height · width] */
export const rasterise = (contours: readonly Contour[], width: number, height: number): Float32Array => {
  const coverage = new Float32Array(width * height);
  for (let line = 0; line < height * LINES; line++) {
    const row = coverage.subarray(Math.floor(line / LINES) * width, (Math.floor(line / LINES) + 1) * width);
    let winding = 0;
    let from = 0;
    for (const { x, winding: turn } of crossings(contours, (line + 0.5) / LINES)) {
      if (winding === 0) from = x;
      winding += turn;
      if (winding === 0) cover(row, from, x);
    }
  }
  return coverage;
};
