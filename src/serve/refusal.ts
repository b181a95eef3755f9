/** Statuses that a request can be refused with. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 406 | 408 | 413 | 415 | 421 | 422 | 429 | 500 | 503 | 504;

/** A request that is not answered as asked: its HTTP status, a code for programs, one line for people. */
export class Refusal extends Error {
  override name = "Refusal";

  constructor(
    readonly status: RefusalStatus,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** The body of every refusal. */
export const refusalBody = (code: string, message: string) => ({ error: { code, message } });
