import type { Spread } from "./summary.js";

/** Three significant digits, with an exponent only where that is shorter: 0.0123, 1.23, 1234, 1.2e-5, nan. */
export const number = (value: number): string => {
  if (!Number.isFinite(value)) return "nan";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace("e+", "e");
  return size >= 100 ? value.toFixed(0) : value.toPrecision(3);
};

/** A share in percent, without its sign: 0.971 is 97.1. */
export const percent = (share: number): string => (Number.isFinite(share) ? (100 * share).toFixed(1) : "nan");

/** 10⁹ bytes, without the unit: 1.20. */
export const gigabytes = (bytes: number): string => number(bytes / 1e9);

/** 1.4×, 12×. */
export const times = (ratio: number): string =>
  Number.isFinite(ratio) ? `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}×` : "nan";

/** 48s, 4m 05s, 3h 07m. */
export const duration = (seconds: number): string => {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
};

/** A number as an axis shows it: 0.02, 1.5, 200. */
export const tick = (value: number): string => String(Number(value.toPrecision(3)));

/** Half the range, with as many decimals as the mean is written with. */
const halfRange = ({ least, most }: Spread, mean: string, format: (value: number) => string): string => {
  const half = (most - least) / 2;
  const decimals = /^-?\d+\.?(\d*)$/.exec(mean)?.[1]?.length;
  return decimals === undefined ? format(half) : Number(format(half)).toFixed(decimals);
};

/** The mean, and half the range over seeds where there are several: "12.3 ±0.4". */
export const spread = (of: Spread, format: (value: number) => string = number): string => {
  const mean = format(of.mean);
  return of.values.length < 2 || !Number.isFinite(of.mean) ? mean : `${mean} ±${halfRange(of, mean, format)}`;
};

/** What every seed gave, and the range: "seed 0: 12.1, seed 1: 12.5 (12.1 to 12.5)". */
export const seedBySeed = (of: Spread, format: (value: number) => string = number): string => {
  const each = of.values.map(({ seed, value }) => `seed ${seed}: ${format(value)}`).join(", ");
  return of.values.length < 2 ? each : `${each} (${format(of.least)} to ${format(of.most)})`;
};
