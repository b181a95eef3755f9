import type { Key } from "../../random/random.js";

/** A point in the plane and its label. */
export type Point = { readonly x: number; readonly y: number; readonly label: number };

/** A distribution of points with mean about 0 and deviation about 1 on each axis. */
export type Distribution = {
  readonly about: string;
  /** Names of the labels; one name where there are none. */
  readonly classes: readonly string[];
  /** One point from a key of its own. */
  readonly draw: (key: Key) => Point;
};

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

/** Half the side of a board whose squares, eight of sixteen, give each axis deviation 1: √3. */
const BOARD = Math.sqrt(3);

const checkerboard = (key: Key): Point => {
  const [square, across, up] = key.uniform(3) as unknown as [number, number, number];
  const index = Math.floor(8 * square);
  const row = Math.floor(index / 2);
  const column = 2 * (index % 2) + (row % 2);
  return { x: ((column + across) / 2 - 1) * BOARD, y: ((row + up) / 2 - 1) * BOARD, label: 0 };
};

const MOON = { noise: 0.1, shift: { x: 0.5, y: 0.25 }, scale: { x: 1.15, y: 2 } } as const;

/** Two half circles that reach into each other, with noise, as scikit-learn's make_moons, then centred and scaled. */
const moons = (key: Key): Point => {
  const [which, along] = key.uniform(2) as unknown as [number, number];
  const [a, b] = key.fold("noise").normal(2) as unknown as [number, number];
  const label = which < 0.5 ? 0 : 1;
  const [cos, sin] = [Math.cos(Math.PI * along), Math.sin(Math.PI * along)];
  const x = (label === 0 ? cos : 1 - cos) + MOON.noise * a;
  const y = (label === 0 ? sin : 0.5 - sin) + MOON.noise * b;
  return { x: (x - MOON.shift.x) * MOON.scale.x, y: (y - MOON.shift.y) * MOON.scale.y, label };
};

/** Eight Gaussians of deviation 0.1 on a circle of radius √2. */
const gaussians8 = (key: Key): Point => {
  const label = Math.floor(8 * key.uniform(1)[0]!);
  const [a, b] = key.fold("noise").normal(2) as unknown as [number, number];
  const angle = (Math.PI / 4) * label;
  return { x: Math.SQRT2 * Math.cos(angle) + 0.1 * a, y: Math.SQRT2 * Math.sin(angle) + 0.1 * b, label };
};

/** A spiral of one and a half turns, radius growing with the angle, with noise. */
const swissRoll = (key: Key): Point => {
  const angle = 1.5 * Math.PI * (1 + 2 * key.uniform(1)[0]!);
  const [a, b] = key.fold("noise").normal(2) as unknown as [number, number];
  const point = (value: number, noise: number): number => (value + 0.5 * noise) / 7;
  return { x: point(angle * Math.cos(angle), a) - 0.29, y: point(angle * Math.sin(angle), b), label: 0 };
};

/** Mean and deviation of each axis of `gaussian`, whose flow is known in closed form (src/paths/gaussian.ts). */
export const GAUSSIAN = { mean: [0.5, -0.3], deviation: [0.6, 1.2] } as const;

const gaussian = (key: Key): Point => {
  const [a, b] = key.normal(2) as unknown as [number, number];
  const { mean, deviation } = GAUSSIAN;
  return { x: mean[0] + deviation[0] * a, y: mean[1] + deviation[1] * b, label: 0 };
};

/** The distributions by name. */
export const DISTRIBUTIONS = {
  checkerboard: { about: "eight squares of a board of sixteen", classes: ["point"], draw: checkerboard },
  moons: { about: "two moons, with labels", classes: numbered(2), draw: moons },
  gaussians8: { about: "eight Gaussians on a circle, with labels", classes: numbered(8), draw: gaussians8 },
  "swiss-roll": { about: "a spiral", classes: ["point"], draw: swissRoll },
  gaussian: { about: "one Gaussian, whose exact flow is known", classes: ["point"], draw: gaussian },
} as const satisfies Record<string, Distribution>;
export type PointsName = keyof typeof DISTRIBUTIONS;
