import { Refusal } from "./refusal.js";

/** Bytes that are held for requests, over all connections. */
export class Budget {
  private held = 0;

  constructor(
    readonly limit: number,
    /** What the bytes are, in messages: "bodies". */
    private readonly what: string,
  ) {}

  get used(): number {
    return this.held;
  }

  /** Takes `bytes`, or throws a `Refusal` with status 503 where they do not fit. Whoever takes them gives them back. */
  take(bytes: number): void {
    if (this.held + bytes > this.limit)
      throw new Refusal(503, "memory", `the server holds all the ${this.what} it has memory for; try again shortly`, {
        "Retry-After": "1",
      });
    this.held += bytes;
  }

  giveBack(bytes: number): void {
    this.held -= bytes;
  }
}
