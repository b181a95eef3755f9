import { type Images, type Progress, SoFlow } from "../../src/browser/index.js";
import { imageOf, maskOf, type StoredPixels } from "../../src/editing/index.js";
import type { ModelList } from "../../src/serve/protocol.js";
import { type Drawing, type Editing, type Generator, GeneratorError, type Pixels } from "./generator.js";

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

/** A generator in the page. It holds one model, that of `use`, and of no other does it keep anything. */
export type PageGenerator = Generator & { readonly use: (model: string | undefined) => void };

type Held = {
  readonly name: string;
  readonly loading: Promise<SoFlow>;
  readonly drop: () => void;
  readonly isDropped: () => boolean;
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

/** A generator by ONNX Runtime Web in a worker. Rejects with a `GeneratorError`: `unable`, or `dropped` where the model changed. */
export const pageGenerator = (source: PageSource, { onProgress, onReady }: PageListener): PageGenerator => {
  let held: Held | undefined;
  let device: "auto" | "wasm" = "auto";

  const load = (name: string): Held => {
    const controller = new AbortController();
    const options = { runtime: ORT, headers: source.headers(), device, onProgress, signal: controller.signal };
    const loading = SoFlow.load(source.folder(name), options);
    const drop = (): void => {
      controller.abort();
      loading.then((model) => model.close()).catch(() => {}); // what was given up needs no closing
    };
    const own: Held = { name, loading, drop, isDropped: () => controller.signal.aborted };
    const settle = (then: () => void): void => {
      if (own.isDropped()) return;
      onProgress(undefined);
      then();
    };
    const forget = (): void => {
      held = undefined; // the next request tries again
    };
    loading.then(
      (model) => settle(() => onReady(providerOf(model))),
      () => settle(forget),
    );
    return own;
  };

  const use = (name: string | undefined): void => {
    if (held?.name === name) return;
    held?.drop();
    onProgress(undefined);
    held = name === undefined ? undefined : load(name);
  };

  /** Draws; where a GPU fails, again on WebAssembly, and from then on. */
  const draw = async (name: string, work: (model: SoFlow) => Promise<Pixels>): Promise<Pixels> => {
    use(name);
    const own = held!;
    const model = await own.loading.catch((thrown: unknown) => fail(own, thrown));
    try {
      return await work(model);
    } catch (thrown) {
      if (own === held && model.device === "webgpu") {
        device = "wasm";
        use(undefined);
        return draw(name, work);
      }
      if (own !== held && held?.name === name) return draw(name, work); // another request has just done so
      return fail(own, thrown);
    }
  };

  const fail = (own: Held, thrown: unknown): never => {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new GeneratorError(own.isDropped() ? "dropped" : "unable", message);
  };

  return {
    use,
    models: source.models,
    generate: ({ model, steps = 1, ...request }: Drawing) =>
      draw(model, async (opened) => pixelsOf(await opened.generate({ ...request, steps }), steps)),
    edit: ({ model, image, mask, strength = 0.5, steps = 1, label, seed }: Editing) =>
      draw(model, async (opened) => {
        const { channels, imageSize } = opened.manifest.model.network;
        const plane = imageSize * imageSize;
        const settings = { strength, steps, label, seed };
        const given = { image: imageOf(stored(image), channels, plane), mask: mask && maskOf(stored(mask), plane) };
        return pixelsOf(await opened.edit({ ...settings, ...given }), steps);
      }),
  };
};
