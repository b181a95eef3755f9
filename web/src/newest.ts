/**
 * Does one piece of work at a time. What is asked for meanwhile replaces what waits: only the newest is done, so that a
 * picture follows the hand and never lags behind it.
 */
export const newest = () => {
  let busy = false;
  let next: (() => Promise<void>) | undefined;
  return async (work: () => Promise<void>): Promise<void> => {
    next = work;
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const now: () => Promise<void> = next;
        next = undefined;
        await now();
      }
    } finally {
      busy = false;
    }
  };
};
