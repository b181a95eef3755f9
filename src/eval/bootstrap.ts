import { UserError } from "../errors.js";
import { key } from "../random/random.js";

export type Bootstrap = {
  /** Times that the samples are drawn anew, with replacement. */
  readonly resamples: number;
  readonly seed: number;
  /** Share of the resamples inside of the interval; 0.95 by default. */
  readonly confidence?: number;
};

export type Interval = { readonly low: number; readonly high: number };

/** The interval that holds a share of what `statistic` says of n samples drawn with replacement. Efron 1979. */
export const bootstrap = (
  n: number,
  statistic: (rows: Uint32Array) => number,
  { resamples, seed, confidence = 0.95 }: Bootstrap,
): Interval => {
  if (resamples < 2 || n < 1) throw new UserError(`bootstrap: ${resamples} resamples of ${n} samples say nothing`);
  const values = new Float64Array(resamples);
  for (let k = 0; k < resamples; k++) values[k] = statistic(key(seed).fold("bootstrap").fold(k).integers(n, n));
  values.sort();
  const at = (share: number): number => values[Math.round(share * (resamples - 1))]!;
  return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
};
