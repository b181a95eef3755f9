import { useEffect, useRef } from "preact/hooks";
import { newest } from "./newest.js";
import { connection, inPage, models } from "./state.js";

/** Redoes `work` whenever `key` changes, when the connection comes back, and when another draws. */
export const useLatest = (key: string, work: () => Promise<void>): void => {
  const queue = useRef(newest());
  const own = inPage.value;
  const ready = connection.value === "online" || (own && models.value.length > 0);
  useEffect(() => {
    if (ready) void queue.current(work);
  }, [key, ready, own]);
};
