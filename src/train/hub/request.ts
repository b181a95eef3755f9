import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../../errors.js";

export type Patience = {
  /** Milliseconds before a request that was answered with 429 or 5xx is repeated; doubled every time. Default 500. */
  readonly retryDelay?: number;
  readonly signal?: AbortSignal;
};

/** Repetitions after answers that may be another a little later. */
const REPETITIONS = 4;
/** A server that asks to wait longer is not waited for, in milliseconds. */
const LONGEST_WAIT = 30_000;
const TEMPORARY = new Set([429, 500, 502, 503, 504]);

const ask = async (url: string, headers: Record<string, string>, signal: AbortSignal | undefined) => {
  try {
    return await fetch(url, { headers, ...(signal && { signal }) }); // a redirect to another host loses the token
  } catch (thrown) {
    signal?.throwIfAborted();
    const reason = messageOf((thrown as Error).cause ?? thrown);
    if (reason === "redirect count exceeded")
      throw new UserError(`${url} leads from one redirect to the next, 20 times`);
    throw new UserError(`${url} cannot be reached: ${reason}`);
  }
};

/** Milliseconds that the server asks to wait: `Retry-After: 120`, or a date. */
const statedWait = (headers: Headers): number | undefined => {
  const text = headers.get("retry-after") ?? "";
  const wait = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
};

const refused = (url: string, { status, statusText }: Response, rest: string): UserError =>
  new UserError(`${url} answers ${`${status} ${statusText}`.trim()}${rest}`);

/** What to throw for an answer that is of no use. */
export const unusable = (url: string, response: Response): UserError => refused(url, response, "");

/**
 * Asks a server; where it answers that it cannot now (429, 5xx), asks again up to four times, after pauses that grow or that
 * it states. Throws a `UserError` that names the URL when it cannot be reached, still answers so, or asks for a longer pause
 * than half a minute.
 */
export const requestPatiently = async (
  url: string,
  headers: Record<string, string>,
  { retryDelay = 500, signal }: Patience,
): Promise<Response> => {
  for (let repetition = 0; ; repetition++) {
    const response = await ask(url, headers, signal);
    if (!TEMPORARY.has(response.status)) return response;
    await response.body?.cancel();
    const stated = statedWait(response.headers);
    if (stated !== undefined && stated > LONGEST_WAIT)
      throw refused(url, response, ` and asks to wait ${Math.ceil(stated / 1000)} s; the same call works after that`);
    if (repetition === REPETITIONS) throw refused(url, response, `, ${repetition + 1} times; try again later`);
    await sleep(stated ?? retryDelay * 2 ** repetition, undefined, signal && { signal });
  }
};
