import { useEffect, useRef } from "preact/hooks";
import { connection } from "./state.js";

/**
 * Does one piece of work at a time. What is asked for meanwhile replaces what waits: only the newest is done, so that a
 * picture follows the hand and never lags behind it.
 */
export const latest = () => {
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

/** Redoes `work` whenever `key` changes, and when the connection comes back. */
export const useLatest = (key: string, work: () => Promise<void>): void => {
  const queue = useRef(latest());
  const online = connection.value === "online";
  useEffect(() => {
    if (online) void queue.current(work);
  }, [key, online]);
};
