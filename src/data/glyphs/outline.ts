import type { PathCommand } from "opentype.js";

/** A closed polygon. */
export type Contour = readonly (readonly [number, number])[];

/** Straight pieces that stand for one curve: at the sizes we draw, a finer division changes nothing. */
const PIECES = 6;

const mix = (a: number, b: number, t: number): number => a + (b - a) * t;

/** Point of the Bézier curve with these control values at t (de Casteljau). */
const bezier = (values: readonly number[], t: number): number =>
  values.length === 1
    ? values[0]!
    : bezier(
        values.slice(1).map((v, i) => mix(values[i]!, v, t)),
        t,
      );

const curve = (xs: readonly number[], ys: readonly number[]): [number, number][] =>
  Array.from({ length: PIECES }, (_, i) => [bezier(xs, (i + 1) / PIECES), bezier(ys, (i + 1) / PIECES)]);

/** The polygons of a font's path commands. */
export const flatten = (commands: readonly PathCommand[]): Contour[] => {
  const contours: [number, number][][] = [];
  for (const command of commands) {
    if (command.type === "Z") continue;
    if (command.type === "M") contours.push([]);
    const contour = contours.at(-1)!;
    const [x, y] = contour.at(-1) ?? [command.x, command.y];
    if (command.type === "Q") contour.push(...curve([x, command.x1, command.x], [y, command.y1, command.y]));
    else if (command.type === "C")
      contour.push(...curve([x, command.x1, command.x2, command.x], [y, command.y1, command.y2, command.y]));
    else contour.push([command.x, command.y]);
  }
  return contours;
};
