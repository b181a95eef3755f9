import { UserError } from "../errors.js";

/** More classes than any labelled set has: a label beyond is damage, and would size the label embedding. */
export const MOST_CLASSES = 65_536;

/** Number of classes that labels need, the largest and one. Throws a `UserError` that begins with `where` for one that is no label. */
export const classCountOf = (labels: Iterable<number | bigint>, where: string): number => {
  let count = 0;
  let row = 0;
  for (const label of labels) {
    const value = Number(label);
    if (!Number.isSafeInteger(value) || value < 0 || value >= MOST_CLASSES)
      throw new UserError(
        `${where} ${row} is ${String(label)}; a label is a whole number from 0 to ${MOST_CLASSES - 1}`,
      );
    count = Math.max(count, value + 1);
    row++;
  }
  return count;
};
