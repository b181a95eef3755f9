import { composite, mixNoise, noised } from "../editing/noise.js";
import { sampleNoise } from "../random/sampleNoise.js";
import type { Manifest } from "../train/export/manifest.js";
import type { Answer, Device, LoadOptions, Request, RunRequest } from "./messages.js";

export { composite, mixNoise, noised } from "../editing/noise.js";
export { sampleNoise } from "../random/sampleNoise.js";
export type { Manifest } from "../train/export/manifest.js";
export type { Device } from "./messages.js";

export type OpenOptions = Partial<Omit<LoadOptions, "url">> & {
  readonly onProgress?: (progress: { readonly file: string; readonly loaded: number; readonly total: number }) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
};

export type GenerateOptions = {
  /** Number of images; default 1. */
  readonly count?: number;
  /** Labels to draw in turn; by default every label of the model in turn. */
  readonly labels?: readonly number[];
  /** Seed of the noise; default 0. The same seed gives the same images as in Node. */
  readonly seed?: number;
  /** Evaluations for each image; default 1. */
  readonly steps?: number;
  /** Noise [count C H W] in place of the seed's. */
  readonly noise?: Float32Array;
  /** Drops the result: the promise rejects at once. */
  readonly signal?: AbortSignal;
};

export type EditOptions = {
  /** An image [C H W] in [−1, 1]. */
  readonly image: Float32Array;
  /** How much of it becomes noise, t in [0, 1]: 0 returns it, 1 draws anew. */
  readonly strength: number;
  readonly label?: number;
  readonly seed?: number;
  /** 1 where the image may change, 0 where it stays [H W]. */
  readonly mask?: Float32Array;
  readonly signal?: AbortSignal;
};

/** Images [N C H W] in [−1, 1], or bytes [N H W C], as the model was exported; and what they took, in milliseconds. */
export type Images = {
  readonly values: Float32Array | Uint8Array;
  readonly shape: readonly number[];
  readonly milliseconds: number;
};

type Waiting = {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
  readonly onProgress: OpenOptions["onProgress"];
};

/** Requests to the worker, and their answers. */
class Channel {
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;

  constructor(private readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker could not start"));
      this.waiting.clear();
    };
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

  ask(request: Request, signal?: AbortSignal, onProgress?: OpenOptions["onProgress"]): Promise<Answer> {
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
    for (const { reject } of this.waiting.values()) reject(new Error("the model was closed"));
  }
}

/** A model that `soflow export` wrote, in the page: it draws in a worker, on WebGPU or WebAssembly. */
export class SoFlow {
  private constructor(
    private readonly channel: Channel,
    readonly manifest: Manifest,
    readonly device: Device,
  ) {}

  /** Loads an exported folder over HTTP; files are kept in the browser's cache. Rejects with one line that says what was wrong. */
  static async load(url: string, options: OpenOptions = {}): Promise<SoFlow> {
    const { runtime = new URL("ort/", document.baseURI).href, device = "auto", onProgress, signal } = options;
    const { threads = Math.min(4, navigator.hardwareConcurrency) } = options;
    const channel = new Channel(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
    const load = {
      url: new URL(url, document.baseURI).href,
      runtime: new URL(runtime, document.baseURI).href,
      device,
      threads,
    };
    try {
      const answer = await channel.ask({ kind: "load", options: load }, signal, onProgress);
      if (answer.kind !== "loaded") throw new Error("the worker gave no model");
      return new SoFlow(channel, answer.manifest, answer.device);
    } catch (thrown) {
      channel.close();
      throw thrown;
    }
  }

  /** Names of the labels, in order; empty for an unconditional model. */
  get classes(): readonly string[] {
    return this.manifest.model.classes;
  }

  private get size(): number {
    const { channels, imageSize } = this.manifest.model.network;
    return channels * imageSize * imageSize;
  }

  private noise(seed: number, count: number, move: number): Float32Array {
    const all = new Float32Array(count * this.size);
    for (let i = 0; i < count; i++) all.set(sampleNoise(seed, i, move, this.size), i * this.size);
    return all;
  }

  private async run(request: RunRequest, signal?: AbortSignal): Promise<Pick<Images, "values" | "shape">> {
    const answer = await this.channel.ask({ kind: "run", request }, signal);
    if (answer.kind !== "ran") throw new Error("the worker gave no images");
    return answer;
  }

  /** Draws images: with one evaluation of the network each, or `steps`. */
  async generate({ count = 1, labels, seed = 0, steps = 1, noise, signal }: GenerateOptions = {}): Promise<Images> {
    const start = performance.now();
    const choice = labels ?? this.classes.map((_, i) => i);
    const given = Array.from({ length: count }, (_, i) => choice[i % choice.length] ?? 0);
    const x = noise ?? this.noise(seed, count, 0);
    const drawn =
      steps === 1
        ? await this.run({ model: "model.onnx", x, labels: given }, signal)
        : await this.inSteps(x, given, seed, steps, signal);
    return { ...drawn, milliseconds: performance.now() - start };
  }

  /** N steps as in Node: SoFlow jumps to data and back to noise, MeanFlow along the trajectory. */
  private async inSteps(x: Float32Array, labels: readonly number[], seed: number, steps: number, signal?: AbortSignal) {
    const { method } = this.manifest.model;
    let result = { values: x as Float32Array | Uint8Array, shape: [] as readonly number[] };
    for (let i = 0; i < steps; i++) {
      const [t, next] = [1 - i / steps, 1 - (i + 1) / steps];
      const s = method.kind === "soflow" ? 0 : next;
      const at = result.values as Float32Array;
      result = await this.run({ model: "solution.onnx", x: at, labels, t, s }, signal);
      if (method.kind === "soflow" && next > 0) {
        const eps = this.noise(seed, labels.length, i + 1);
        result = { ...result, values: noised(method.path, next, result.values as Float32Array, eps) };
      }
    }
    return { ...result, values: (result.values as Float32Array).map((value) => Math.min(1, Math.max(-1, value))) };
  }

  /** Image to image: noise is put in up to time t, and f(x_t, t, 0) takes it out again; outside a mask the image stays. */
  async edit({ image, strength, label = 0, seed = 0, mask, signal }: EditOptions): Promise<Images> {
    const start = performance.now();
    const { method } = this.manifest.model;
    const path = method.kind === "soflow" ? method.path : "linear";
    const x = noised(path, strength, image, this.noise(seed, 1, 0));
    const drawn = await this.run({ model: "solution.onnx", x, labels: [label], t: strength, s: 0 }, signal);
    const values = mask ? composite(mask, drawn.values as Float32Array, image) : drawn.values;
    return { values, shape: drawn.shape, milliseconds: performance.now() - start };
  }

  /** Noise between two seeds, `weight` of the way from the first to the second; standard normal all along. */
  between(first: number, second: number, weight: number): Float32Array {
    return mixNoise([
      { noise: this.noise(first, 1, 0), weight: Math.cos((weight * Math.PI) / 2) },
      { noise: this.noise(second, 1, 0), weight: Math.sin((weight * Math.PI) / 2) },
    ]);
  }

  /** Frees the worker, and with it the model. */
  close(): void {
    this.channel.close();
  }
}

/** Images as bitmaps for a canvas. */
export const toBitmaps = async ({ values, shape }: Pick<Images, "values" | "shape">): Promise<ImageBitmap[]> => {
  const bytes = values instanceof Uint8Array;
  const [count = 0, channels = 1, height = 0, width = 0] = bytes ? [shape[0], shape[3], shape[1], shape[2]] : shape;
  const plane = height * width;
  const at = (i: number, p: number, c: number): number => {
    const channel = Math.min(c, channels - 1);
    return bytes
      ? values[(i * plane + p) * channels + channel]!
      : 127.5 * values[(i * channels + channel) * plane + p]! + 128;
  };
  const pixels = (i: number): ImageData => {
    const data = new Uint8ClampedArray(4 * plane);
    for (let p = 0; p < plane; p++) data.set([at(i, p, 0), at(i, p, 1), at(i, p, 2), 255], 4 * p);
    return new ImageData(data, width, height);
  };
  return Promise.all(Array.from({ length: count }, (_, i) => createImageBitmap(pixels(i))));
};
