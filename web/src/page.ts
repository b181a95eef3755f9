import type { Images, Progress, SoFlow } from "../../src/browser/index.js";
import { imageOf, maskOf, type StoredPixels } from "../../src/editing/index.js";
import type { ModelList } from "../../src/serve/protocol.js";
import { type Drawing, type Editing, type Generator, GeneratorError, type Pixels } from "./generator.js";
import { HeldModel } from "./heldModel.js";

/** Where the page finds exported models. */
export type PageSource = {
  readonly models: (signal?: AbortSignal) => Promise<ModelList>;
  /** Address of a model's exported folder. */
  readonly folder: (model: string) => string;
  /** What is sent along when files are asked for. */
  readonly headers: () => Record<string, string>;
};

/** Told how loading goes, and what draws when it is done. */
export type PageListener = {
  readonly onProgress: (progress: Progress | undefined) => void;
  readonly onReady: (provider: string) => void;
};

const ORT = "ort/";

const providerOf = ({ device, threads }: SoFlow): string => {
  if (device === "webgpu") return "WebGPU in this page";
  return `WebAssembly in this page, ${threads} thread${threads === 1 ? "" : "s"}`;
};

const pixelsOf = ({ values, shape, milliseconds }: Images, evaluations: number): Pixels => {
  const [count = 0, channels = 1, size = 1] = shape;
  return { values: values as Float32Array, count, channels, size, milliseconds, evaluations }; // exported as floats
};

const stored = ({ data }: ImageData): StoredPixels => ({ bytes: data, stored: 4 });

/**
 * A generator by ONNX Runtime Web in a worker. It holds one model, that of `use`, and draws with no other. Rejects with a
 * `GeneratorError`: `unable`, or `dropped` where the model was changed meanwhile.
 */
export class PageGenerator implements Generator {
  private wanted: string | undefined;
  private held: HeldModel | undefined;
  private device: "auto" | "wasm" = "auto";

  constructor(
    private readonly source: PageSource,
    private readonly listener: PageListener,
  ) {}

  models(signal?: AbortSignal): Promise<ModelList> {
    return this.source.models(signal);
  }

  /** Loads a model in place of the one before, or lets go of that. */
  use(name: string | undefined): void {
    if (this.wanted === name) return;
    this.wanted = name;
    this.drop();
    if (name !== undefined) this.hold(name);
  }

  private drop(): void {
    this.held?.drop();
    this.held = undefined;
    this.listener.onProgress(undefined);
  }

  private hold(name: string): HeldModel {
    const { onProgress, onReady } = this.listener;
    const settle = (provider: string): void => {
      onProgress(undefined);
      onReady(provider);
    };
    const forget = (): void => {
      this.held = undefined; // the next request tries again
      settle("");
    };
    const options = { runtime: ORT, headers: this.source.headers(), device: this.device, onProgress };
    this.held = new HeldModel(this.source.folder(name), options, (model) => settle(providerOf(model)), forget);
    return this.held;
  }

  /** Draws; where a GPU fails, again on WebAssembly, and from then on. */
  private async draw(name: string, work: (model: SoFlow) => Promise<Pixels>): Promise<Pixels> {
    if (name !== this.wanted) throw new GeneratorError("dropped", `${name} is no longer shown`);
    const own = this.held ?? this.hold(name);
    const model = await own.loading.catch((thrown: unknown) => fail(own, thrown));
    try {
      return await work(model);
    } catch (thrown) {
      if (own === this.held && model.device === "webgpu") {
        this.device = "wasm";
        this.drop();
      } else if (own === this.held || name !== this.wanted) return fail(own, thrown);
      return this.draw(name, work); // own is gone, by this request or another
    }
  }

  generate({ model, steps = 1, ...request }: Drawing): Promise<Pixels> {
    return this.draw(model, async (opened) => pixelsOf(await opened.generate({ ...request, steps }), steps));
  }

  edit({ model, image, mask, strength = 0.5, steps = 1, label, seed }: Editing): Promise<Pixels> {
    return this.draw(model, async (opened) => {
      const { channels, imageSize } = opened.manifest.model.network;
      const plane = imageSize * imageSize;
      const given = { image: imageOf(stored(image), channels, plane), mask: mask && maskOf(stored(mask), plane) };
      return pixelsOf(await opened.edit({ ...given, strength, steps, label, seed }), steps);
    });
  }
}

const fail = (held: HeldModel, thrown: unknown): never => {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  throw new GeneratorError(held.isDropped ? "dropped" : "unable", message);
};
