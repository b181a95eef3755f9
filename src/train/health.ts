/** What a checkpoint remembers of how training went when it was written. */
export type Health = {
  /** Losses of the last steps, the latest last. */
  readonly losses: readonly number[];
  /** The lowest such mean of the whole run, or its first loss where that is lower; null before the first step. */
  readonly lowest: number | null;
};

/** Steps whose mean loss is looked at: enough to level out single batches. */
const WINDOW = 20;
/** Fewer are only taken at the first step, whose loss is that of the initial weights. */
const LEAST = 5;
/** A mean loss beyond so many times the lowest of the run is no longer sane. */
const WILD_LOSS = 10;

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The mean loss when a checkpoint was written; undefined where no step came before it. */
export const lossOf = ({ losses }: Health): number | undefined => (losses.length > 0 ? meanOf(losses) : undefined);

/** Whether the loss was finite and near what the run had reached. */
export const isSane = (health: Health): boolean => {
  const loss = lossOf(health) ?? 0;
  return Number.isFinite(loss) && (health.lowest === null || loss <= WILD_LOSS * Math.abs(health.lowest));
};

/** In words, what `isSane` found wrong. */
export const WILD_TEXT = `over ${WILD_LOSS} times the lowest of the run`;

/** Follows the loss from step to step; resumed from a checkpoint's health, it is where it was. */
export class LossWatch {
  private losses: number[];
  private lowest: number | null;

  constructor({ losses, lowest }: Health = { losses: [], lowest: null }) {
    this.losses = [...losses];
    this.lowest = lowest;
  }

  add(loss: number): void {
    this.losses = [...this.losses, loss].slice(-WINDOW);
    if (this.lowest !== null && this.losses.length < LEAST) return;
    this.lowest = Math.min(meanOf(this.losses), this.lowest ?? Number.POSITIVE_INFINITY);
  }

  get health(): Health {
    return { losses: this.losses, lowest: this.lowest };
  }
}
