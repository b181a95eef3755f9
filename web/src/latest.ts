import { useEffect, useRef } from "preact/hooks";
import { newest } from "./newest.js";
import { connection } from "./state.js";

/** Redoes `work` whenever `key` changes, and when the connection comes back. */
export const useLatest = (key: string, work: () => Promise<void>): void => {
  const queue = useRef(newest());
  const online = connection.value === "online";
  useEffect(() => {
    if (online) void queue.current(work);
  }, [key, online]);
};
