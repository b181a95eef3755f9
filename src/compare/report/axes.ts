import { linearTicks, logTicks } from "../../formats/chart.js";

/** One direction of a plot. */
export type Axis = {
  readonly name: string;
  readonly ticks: readonly number[];
  /** From a value to its place: 0 at the low end, 1 at the high end. */
  readonly place: (value: number) => number;
};

/** The range of values; those that are not finite do not count. */
const rangeOf = (values: readonly number[]): readonly [low: number, high: number] => {
  const finite = values.filter(Number.isFinite);
  return [Math.min(...finite), Math.max(...finite)];
};

/** Whether values lie so close that an axis of their range alone would have no room for ticks. */
const areOne = (least: number, most: number): boolean => most - least <= 1e-6 * Math.abs(most);

/** Powers of two from the one at or below `low`. */
const doublings = (low: number, high: number): number[] =>
  Array.from({ length: 32 }, (_, i) => 2 ** i).filter((power) => power >= low && power <= high);

/** A logarithmic axis around values above 0. With `doubling` its ticks are powers of two. */
export const logAxis = (name: string, values: readonly number[], doubling = false): Axis => {
  const [least, most] = rangeOf(values);
  const slack = areOne(least, most) ? 1.5 : (most / least) ** 0.06;
  const [low, high] = [least / slack, most * slack];
  const round = logTicks(low, high);
  const ticks = doubling ? doublings(low, high) : round.length >= 3 ? round : linearTicks(high, low);
  return { name, ticks, place: (value) => Math.log(value / low) / Math.log(high / low) };
};

/** A linear axis over values; with `fromZero` it begins at 0. */
export const linearAxis = (name: string, values: readonly number[], fromZero = false): Axis => {
  const [least, most] = rangeOf(fromZero ? [0, ...values] : values);
  const slack = areOne(least, most) ? Math.abs(most) || 1 : (most - least) * 0.05;
  const [low, high] = [fromZero ? least : least - slack, most + (fromZero && least < most ? 0 : slack)];
  return { name, ticks: linearTicks(high, low), place: (value) => (value - low) / (high - low) };
};
