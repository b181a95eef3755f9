import { type OpenOptions, SoFlow } from "../../src/browser/index.js";

/** A model that loads, or has loaded, in a worker: until it is dropped. */
export class HeldModel {
  readonly loading: Promise<SoFlow>;
  private readonly controller = new AbortController();

  /** Exactly one of the two is called when it has loaded or failed to, neither where it was dropped before. */
  constructor(url: string, options: OpenOptions, onReady: (model: SoFlow) => void, onFailure: () => void) {
    this.loading = SoFlow.load(url, { ...options, signal: this.controller.signal });
    this.loading.then(
      (model) => this.isDropped || onReady(model),
      () => this.isDropped || onFailure(),
    );
  }

  get isDropped(): boolean {
    return this.controller.signal.aborted;
  }

  /** Ends the worker; what it was asked for rejects. */
  drop(): void {
    this.controller.abort();
    this.loading.then((model) => model.close()).catch(() => {}); // what did not load needs no closing
  }
}
