import { Refusal } from "./refusal.js";

type Waiting = { readonly start: () => void };

/** Work that is done a few pieces at a time; what comes meanwhile waits, up to a bound. */
export class Turns {
  private running = 0;
  private waiting: Waiting[] = [];

  constructor(
    private readonly options: {
      /** Pieces at a time. */
      readonly most: number;
      /** Pieces that may wait. */
      readonly maxWaiting: number;
      /** What waits, in the plural. */
      readonly what: string;
    },
  ) {}

  /** Does the work in its turn. Rejects with a `Refusal` (429) where too much waits, and with the signal's reason. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.running >= this.options.most) await this.wait(signal);
    else this.running++;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.next();
    }
  }

  /** Hands the place on to the one that has waited longest. */
  private next(): void {
    const next = this.waiting.shift();
    if (next) next.start();
    else this.running--;
  }

  private wait(signal: AbortSignal): Promise<void> {
    const { maxWaiting, what } = this.options;
    if (this.waiting.length >= maxWaiting)
      throw new Refusal(429, "overloaded", `${maxWaiting} ${what} wait already; try again shortly`, {
        "Retry-After": "1",
      });
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting = this.waiting.filter((other) => other !== entry);
        reject(signal.reason as Error);
      };
      const start = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const entry: Waiting = { start };
      signal.addEventListener("abort", leave, { once: true });
      this.waiting.push(entry);
    });
  }
}
