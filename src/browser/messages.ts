import type { WebDevice } from "../runtime/webFiles.js";
import type { Manifest } from "../train/export/manifest.js";

/** Where ONNX Runtime computes in a browser. */
export type Device = WebDevice;

export type LoadOptions = {
  /** Folder that `soflow export` wrote, with a final slash or without. */
  readonly url: string;
  /** Folder with onnxruntime-web's files (`node_modules/onnxruntime-web/dist`). */
  readonly runtime: string;
  /** auto: WebGPU where there is a GPU that runs the model, else WebAssembly. */
  readonly device: Device | "auto";
  /** Threads of WebAssembly; more than one needs a page that is cross-origin isolated. */
  readonly threads: number;
  /** Sent when files of the model are asked for, such as `Authorization`; by default none. */
  readonly headers: Readonly<Record<string, string>>;
};

/** Runs of the network, each on a batch: noise to images, or x from t to s. */
export type RunRequest = {
  readonly model: "model.onnx" | "solution.onnx";
  /** [N C H W] */
  readonly x: Float32Array;
  readonly labels: readonly number[];
  readonly t?: number;
  readonly s?: number;
};

/** What the page asks its worker for. */
export type Request =
  | { readonly kind: "load"; readonly options: LoadOptions }
  | { readonly kind: "run"; readonly request: RunRequest };

/** How far the loading of a model is: `loaded` of the `total` bytes of all its files; `file` is the one that is read. */
export type Progress = { readonly file: string; readonly loaded: number; readonly total: number };

/** A model that is ready: what it is, where it runs and in how many threads (1 on WebGPU). */
export type LoadedModel = { readonly manifest: Manifest; readonly device: Device; readonly threads: number };

/** What the worker answers: about request `id`. */
export type Answer =
  | ({ readonly id: number; readonly kind: "progress" } & Progress)
  | ({ readonly id: number; readonly kind: "loaded" } & LoadedModel)
  | {
      readonly id: number;
      readonly kind: "ran";
      readonly values: Float32Array | Uint8Array;
      readonly shape: readonly number[];
    }
  | { readonly id: number; readonly kind: "failed"; readonly message: string };
