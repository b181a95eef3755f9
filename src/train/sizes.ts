import type { NetworkConfig } from "../models/network.js";

/**
 * Fixed batch sizes that together hold n samples, largest first. A batch is padded only where more than half of it is
 * full: below that, smaller ones are faster. `sizes` rises and begins with 1.
 */
export const fillSizes = (n: number, sizes: readonly number[]): number[] => {
  const parts: number[] = [];
  for (let left = n; left > 0; ) {
    const fits = sizes.filter((size) => size <= left).at(-1)!;
    const padded = sizes.find((size) => size >= left && left > size / 2);
    const part = padded ?? fits;
    parts.push(part);
    left -= part;
  }
  return parts;
};

/** The batch sizes to compile for batches of up to `most`: powers of 4 up to 256, and `most` itself. */
export const batchSizes = (most: number): readonly number[] =>
  [...new Set([...fixedSizes(Math.min(most, 256)), most])].sort((a, b) => a - b);

/** Powers of 4 up to `most`: whatever is asked for, there are only a few. */
export const fixedSizes = (most: number): readonly number[] => POWERS.filter((size) => size <= most);

/** Powers of 4 up to a million. */
const POWERS = Array.from({ length: 11 }, (_, i) => 4 ** i);

/** Numbers that are computed together, with other instructions than one alone where they are sines or exponentials. */
const PACKET = 4;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * Batches hold a multiple of so many samples, so that rows end where packets do: else the last numbers of a batch would be
 * computed by other instructions, and differ in their last bits by the batch they are in. It concerns the MLP alone, whose
 * sines and exponentials are of a few numbers a sample; other networks have whole packets of them.
 */
export const batchUnit = (network: NetworkConfig): number => {
  if (network.kind !== "mlp") return 1;
  const { channels, imageSize, width } = network;
  return PACKET / gcd(PACKET, gcd(channels * imageSize ** 2, width));
};
