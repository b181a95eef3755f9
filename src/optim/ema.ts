export type EmaOptions = {
  /** Decay per step, in [0, 1). */
  readonly decay: number;
  /** Shorter memory at the start: the decay of step k is at most (1 + k) / (10 + k). */
  readonly warmup: boolean;
};

/** The decay of step k, counted from 1. */
export const emaDecay =
  ({ decay, warmup }: EmaOptions) =>
  (k: number): number =>
    warmup ? Math.min(decay, (1 + k) / (10 + k)) : decay;
