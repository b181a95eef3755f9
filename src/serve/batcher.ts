import { Refusal } from "./refusal.js";

/** What a batcher may do, and the work it does in batches. */
export type BatcherOptions<I, O> = {
  /** Most items in a batch. */
  readonly maxBatch: number;
  /** Milliseconds that an item may wait for company while nothing runs. */
  readonly maxWait: number;
  /** Most items that wait. */
  readonly maxQueue: number;
  /** Items share a batch only where this is equal. */
  readonly laneOf: (item: I) => string;
  /** One result for each item, in order; none is needed where nobody waits for it any more. Calls do not overlap. */
  readonly run: (items: readonly I[], batch: Batch) => Promise<readonly (O | undefined)[]>;
};

/** A batch while it runs. */
export type Batch = {
  /** Whether the item in this place is still waited for. */
  readonly isWanted: (index: number) => boolean;
  /** Aborts when nobody waits for any item any more. */
  readonly signal: AbortSignal;
};

/** How a request is told of its items, and how it gives up. */
export type SubmitOptions<O> = {
  /**
   * Items that are still waiting are dropped when this aborts, and a batch that nobody else waits for ends; the submission
   * rejects with its reason.
   */
  readonly signal?: AbortSignal;
  readonly onResult?: (index: number, result: O) => void;
};

type Waiting<I, O> = {
  readonly item: I;
  readonly since: number;
  readonly resolve: (result: O) => void;
  readonly reject: (reason: unknown) => void;
  isGone: boolean;
};

type Running<I, O> = { readonly entries: readonly Waiting<I, O>[]; readonly controller: AbortController };

/**
 * Joins items of concurrent requests into batches, oldest first. While a batch runs, the next one gathers; when nothing
 * runs, the oldest item waits at most `maxWait` for others. Every item is answered exactly once.
 */
export class Batcher<I, O> {
  private waiting: Waiting<I, O>[] = [];
  private running: Running<I, O> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private idle: (() => void)[] = [];

  constructor(private readonly options: BatcherOptions<I, O>) {}

  /** Items that wait. */
  get queued(): number {
    return this.waiting.length;
  }

  /** Items in the batch that runs. */
  get active(): number {
    return this.running?.entries.length ?? 0;
  }

  /** Queues all of `items` or, with a `Refusal` of status 429, none. Resolves to their results in order. */
  async submit(items: readonly I[], { signal, onResult }: SubmitOptions<O> = {}): Promise<readonly O[]> {
    signal?.throwIfAborted();
    if (this.waiting.length + items.length > this.options.maxQueue) throw this.overloaded(items.length);
    const entries: Waiting<I, O>[] = [];
    const results = items.map(
      (item, index) =>
        new Promise<O>((resolve, reject) => {
          const answer = (result: O): void => {
            onResult?.(index, result);
            resolve(result);
          };
          entries.push({ item, since: performance.now(), resolve: answer, reject, isGone: false });
        }),
    );
    const leave = (): void => this.drop(entries, signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    this.waiting.push(...entries);
    this.schedule();
    return Promise.all(results).finally(() => signal?.removeEventListener("abort", leave));
  }

  /** Resolves when nothing waits and nothing runs. */
  async drained(): Promise<void> {
    while (this.running || this.waiting.length > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private overloaded(more: number): Refusal {
    const { maxQueue } = this.options;
    const text = `the queue holds ${this.waiting.length} of ${maxQueue} images and cannot take ${more} more; try again shortly`;
    return more > maxQueue
      ? new Refusal(413, "too-many", `${more} images are more than the queue of ${maxQueue} holds; ask for fewer`)
      : new Refusal(429, "overloaded", text, { "Retry-After": "1" });
  }

  private drop(entries: readonly Waiting<I, O>[], reason: unknown): void {
    for (const entry of entries) {
      entry.isGone = true;
      entry.reject(reason);
    }
    this.waiting = this.waiting.filter(({ isGone }) => !isGone);
    if (this.running?.entries.every(({ isGone }) => isGone)) this.running.controller.abort(reason);
    this.schedule();
  }

  private schedule(): void {
    if (this.running) return;
    clearTimeout(this.timer);
    const [oldest] = this.waiting;
    if (oldest === undefined) {
      this.tellIdle();
      return;
    }
    const left = this.options.maxWait - (performance.now() - oldest.since);
    if (left <= 0 || this.nextBatch().length >= this.options.maxBatch) void this.start();
    else this.timer = setTimeout(() => void this.start(), left);
  }

  private tellIdle(): void {
    const listeners = this.idle;
    this.idle = [];
    for (const listener of listeners) listener();
  }

  /** The oldest items that may run together with the very oldest. */
  private nextBatch(): readonly Waiting<I, O>[] {
    const { laneOf, maxBatch } = this.options;
    const [oldest] = this.waiting;
    if (oldest === undefined) return [];
    const lane = laneOf(oldest.item);
    return this.waiting.filter(({ item }) => laneOf(item) === lane).slice(0, maxBatch);
  }

  private async start(): Promise<void> {
    const batch = this.nextBatch();
    const taken = new Set(batch);
    this.waiting = this.waiting.filter((entry) => !taken.has(entry));
    const controller = new AbortController();
    this.running = { entries: batch, controller };
    const isWanted = (index: number): boolean => !batch[index]!.isGone;
    try {
      const items = batch.map(({ item }) => item);
      const results = await this.options.run(items, { isWanted, signal: controller.signal });
      for (const [i, { resolve, isGone }] of batch.entries()) if (!isGone) resolve(results[i]!);
    } catch (thrown) {
      for (const { reject } of batch) reject(thrown);
    } finally {
      this.running = undefined;
      this.schedule();
    }
  }
}
