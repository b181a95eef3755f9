import { effect, type Signal, signal } from "@preact/signals";

/** A text that the browser keeps under a key: for this tab, or for all visits. Where it may keep nothing, the text is new each time. */
export const kept = (where: "sessionStorage" | "localStorage", key: string): Signal<string> => {
  const storage = (): Storage | undefined => {
    try {
      return window[where];
    } catch {
      return undefined; // the page is framed by another, or the user allows no storage
    }
  };
  const text = signal(storage()?.getItem(key) ?? "");
  effect(() => storage()?.setItem(key, text.value));
  return text;
};
