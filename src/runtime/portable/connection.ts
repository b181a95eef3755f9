import { Worker } from "node:worker_threads";
import type { HostArray } from "../../graph/dtype.js";
import { workerUrl } from "../workerUrl.js";
import type { Call, Ready, Reply, Request, Setup } from "./protocol.js";

type Waiting = {
  readonly resolve: (data: HostArray | undefined) => void;
  readonly reject: (error: Error) => void;
  readonly ended: () => Promise<unknown>;
};

/** Calls to the worker and the answers to them. The process may end while none is waited for. */
export class Connection {
  private readonly waiting = new Map<number, Waiting>();
  private calls = 0;
  private failure: Error | undefined;

  private constructor(
    private readonly worker: Worker,
    readonly ready: Ready,
  ) {
    worker.on("message", (reply: Reply) => this.receive(reply));
    worker.on("error", (error) => this.fail(error));
    worker.on("exit", (code) => this.fail(new Error(`the worker of the portable runtime ended with code ${code}`)));
    worker.unref();
  }

  /** Starts the worker. Throws when it, or onnxruntime-node in it, cannot be loaded. */
  static async open(setup: Setup): Promise<Connection> {
    const worker = new Worker(workerUrl(import.meta.url, "./worker.js"), { workerData: setup });
    const ready = await new Promise<Ready>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return new Connection(worker, ready);
  }

  /** Asks the worker. `moved` is the array in the request, if any: its memory changes hands. */
  call(request: Request, moved?: HostArray): Promise<HostArray | undefined> {
    if (this.failure) return Promise.reject(this.failure);
    const message: Call = { call: this.calls++, request };
    this.worker.postMessage(message, moved ? [moved.buffer] : []);
    this.worker.ref();
    const ended = new Promise<HostArray | undefined>((resolve, reject) => {
      this.waiting.set(message.call, { resolve, reject, ended: () => ended });
    });
    return ended;
  }

  /** The same for requests that cannot fail, or whose failure the next call on the same object reports. Throws when closed. */
  tell(request: Request, moved?: HostArray): void {
    if (this.failure) throw this.failure;
    this.call(request, moved).catch(() => {});
  }

  /** Waits for the calls in progress, then ends the worker. */
  async close(): Promise<void> {
    if (this.failure) return;
    this.failure = new Error("the runtime was closed");
    await Promise.allSettled([...this.waiting.values()].map(({ ended }) => ended()));
    await this.worker.terminate();
  }

  private receive({ call, data, error }: Reply): void {
    const waiting = this.waiting.get(call)!;
    this.waiting.delete(call);
    if (this.waiting.size === 0) this.worker.unref();
    if (error === undefined) waiting.resolve(data);
    else waiting.reject(new Error(error));
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }
}
