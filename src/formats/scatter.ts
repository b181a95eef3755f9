import type { Picture } from "./grid.js";

export type ScatterOptions = {
  /** Side of the picture in pixels. */
  readonly side?: number;
  /** The picture shows [−extent, extent] on both axes. */
  readonly extent?: number;
};

const GROUND = [24, 24, 24] as const;
const INK = [120, 190, 255] as const;

/** Points [n 2] as a density: the more points fall on a pixel, the brighter it is. y points up. */
export const scatter = (points: Float32Array, { side = 256, extent = 2.5 }: ScatterOptions = {}): Picture => {
  const counts = new Uint32Array(side * side);
  const cell = (value: number): number => Math.floor(((value + extent) / (2 * extent)) * side);
  for (let i = 0; i + 1 < points.length; i += 2) {
    const [x, y] = [cell(points[i]!), side - 1 - cell(points[i + 1]!)];
    if (x >= 0 && x < side && y >= 0 && y < side) counts[y * side + x]!++;
  }
  const usual = Math.max(1, points.length / 2 / (0.25 * side * side)); // a quarter of the picture filled evenly
  const rgb = new Uint8Array(side * side * 3);
  counts.forEach((count, i) => {
    const share = 1 - Math.exp(-count / usual);
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = Math.round(GROUND[c]! + share * (INK[c]! - GROUND[c]!));
  });
  return { width: side, height: side, rgb };
};
