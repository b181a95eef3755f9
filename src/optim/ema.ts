export type EmaOptions = {
  /** Decay per step, in [0, 1). */
  readonly decay: number;
  /** Shorter memory at the start: the decay of step k is at most (1 + k) / (10 + k). */
  readonly warmup: boolean;
  /** Steps from one application to the next, whose decay is then that of all of them; default 1. */
  readonly every?: number;
};

/** The decay of the application at step k, counted from 1: δⁿ for an average that is applied every n steps. */
export const emaDecay =
  ({ decay, warmup, every = 1 }: EmaOptions) =>
  (k: number): number =>
    (warmup ? Math.min(decay, (1 + k) / (10 + k)) : decay) ** every;
