import type { Neighbours } from "./neighbours.js";
import type { Scores } from "./score.js";

/** What results.json holds. */
export type Results = {
  readonly samples: string;
  readonly reference: string;
  readonly features: string;
  /** Name of the Fréchet distance: FID of Inception's features alone. */
  readonly metric: string;
  readonly count: number;
  readonly referenceCount?: number;
  /** Images of each set that were compared pair by pair, where these are not all. */
  readonly pairs?: number;
  readonly classes: readonly string[];
  readonly scores: Scores;
  /** The distance of the reference's one half to its other: what perfect samples of that many would score. */
  readonly floor?: number;
  readonly neighbours?: readonly Neighbours[];
};
