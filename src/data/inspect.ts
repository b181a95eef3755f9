import { UserError } from "../errors.js";
import { type Dataset, PassingError, UnusableSample } from "./dataset.js";

export type InspectOptions = {
  /** The g-th sample to look at, for g from 0: those that are needed first come first. */
  readonly order: (g: number) => number;
  /** Samples that are looked at at the same time. */
  readonly atOnce?: number;
  /** Seconds after which the rest is left for when it is read. */
  readonly seconds?: number;
  /** Called now and then with the number of samples looked at. */
  readonly onProgress?: (done: number, of: number) => void;
};

/** Reasons that an error lists before it only counts. */
const LISTED = 5;
/** Samples between two calls of `onProgress`. */
const REPORTED = 20_000;

const listOf = (dataset: Dataset, bad: ReadonlyMap<number, string>): string => {
  const reasons = [...bad].sort(([a], [b]) => a - b).map(([, reason]) => reason);
  const rest = reasons.length - LISTED;
  const shown = reasons.slice(0, LISTED).join("; ") + (rest > 0 ? `; and ${rest} more` : "");
  if (reasons.length === 1) return shown;
  return `${dataset.name}: ${reasons.length} of ${dataset.length} images cannot be used: ${shown}`;
};

/**
 * Inspects all samples of a dataset, or as many as the time allows, and returns how many that was. Throws one
 * `UnusableSample` that names the first few that cannot be used, counts the others and says how to go on without them.
 */
export const inspectAll = async (
  dataset: Dataset,
  { order, atOnce = 4, seconds = 30, onProgress }: InspectOptions,
): Promise<number> => {
  if (!dataset.inspect) return dataset.length;
  const bad = new Map<number, string>();
  const end = performance.now() + seconds * 1000;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < dataset.length && performance.now() < end) {
      const index = order(next++);
      if (next % REPORTED === 0) onProgress?.(next, dataset.length);
      try {
        await dataset.inspect!(index);
      } catch (thrown) {
        if (!(thrown instanceof UserError) || thrown instanceof PassingError) throw thrown;
        bad.set(index, thrown.message);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (bad.size > 0) throw new UnusableSample(listOf(dataset, bad));
  return next;
};
