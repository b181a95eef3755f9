import type { Answer, Progress, Request } from "./messages.js";

type Waiting = {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
};

/** Requests to the worker, and their answers. */
export class Channel {
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;

  constructor(private readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => this.rejectAll(event.message || "the worker could not start");
  }

  private rejectAll(message: string): void {
    for (const { reject } of this.waiting.values()) reject(new Error(message));
    this.waiting.clear();
  }

  private receive(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    if (!waiting) return; // it was given up
    if (answer.kind === "progress") {
      waiting.onProgress?.(answer);
      return;
    }
    this.waiting.delete(answer.id);
    if (answer.kind === "failed") waiting.reject(new Error(answer.message));
    else waiting.resolve(answer);
  }

  /** Rejects with the worker's message, or with the signal's reason as soon as it aborts. */
  ask(request: Request, signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<Answer> {
    signal?.throwIfAborted();
    const id = this.count++;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.waiting.delete(id);
        reject(signal!.reason as Error);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, ...request });
    });
  }

  close(): void {
    this.worker.terminate();
    this.rejectAll("the model was closed");
  }
}
