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

/** The batch sizes to compile for batches of up to `most`: powers of 4, and `most` itself. */
export const batchSizes = (most: number): readonly number[] =>
  [...new Set([1, 4, 16, 64, 256, most])].filter((size) => size <= most).sort((a, b) => a - b);
