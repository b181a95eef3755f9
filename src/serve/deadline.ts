import type { Context } from "hono";
import { whenLeft } from "./connection.js";
import { Refusal } from "./refusal.js";

/** The client left before it had its answer: nobody reads this one. */
export const gone = (): Refusal => new Refusal(408, "gone", "the client left before it had its answer");

/** What ends work for a request before it is done. */
export type Deadline = { readonly signal: AbortSignal; readonly clear: () => void };

/** Aborts when the client has left, the server ends (`ending`) or the time is over; `timeout` in milliseconds, by default none. */
export const deadline = (c: Context, ending: AbortSignal, timeout?: number): Deadline => {
  const controller = new AbortController();
  const end = (): void => controller.abort(ending.reason);
  const late = (): void =>
    controller.abort(
      new Refusal(504, "timeout", `the images were not ready within ${timeout! / 1000} s; ask for fewer`),
    );
  const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
  ending.addEventListener("abort", end, { once: true });
  if (ending.aborted) end();
  const stay = whenLeft(c, () => controller.abort(gone()));
  const clear = (): void => {
    clearTimeout(timer);
    ending.removeEventListener("abort", end);
    stay();
  };
  return { signal: controller.signal, clear };
};
