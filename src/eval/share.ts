import { UserError } from "../errors.js";

export type Interval = { readonly low: number; readonly high: number };

/** Standard deviations that 95 % of a normal distribution lie within. */
const WITHIN = 1.959964;

/**
 * The interval of a share that was found among n independent ones, 95 % of which hold the true share; within [0, 1] and of some
 * width also where none or all were found. Wilson 1927.
 */
export const shareInterval = (share: number, n: number): Interval => {
  if (n < 1 || !(share >= 0 && share <= 1))
    throw new UserError(`a share of ${share} among ${n} has no interval; it must be from 0 to 1 among at least 1`);
  const z = WITHIN ** 2 / n;
  const middle = (share + z / 2) / (1 + z);
  const half = (WITHIN * Math.sqrt((share * (1 - share)) / n + z / (4 * n))) / (1 + z);
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
};
