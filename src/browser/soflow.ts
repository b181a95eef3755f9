import {
  type EditOptions,
  editImage,
  editPath,
  type GenerateOptions,
  type MixedImages,
  mixNoise,
  mixtureOf,
  noised,
  wantedImages,
} from "../editing/index.js";
import { joinFloats } from "../formats/floats.js";
import { sampleNoise } from "../random/sampleNoise.js";
import { Channel } from "./channel.js";
import type { LoadedModel, LoadOptions, Progress, RunRequest } from "./messages.js";

export type OpenOptions = Partial<Omit<LoadOptions, "url">> & {
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
};

export type PageGenerateOptions = GenerateOptions &
  MixedImages & {
    /** Noise [count C H W] to start from, in place of the seed's. */
    readonly noise?: Float32Array;
    /** Drops the result: the promise rejects at once. */
    readonly signal?: AbortSignal;
  };

export type PageEditOptions = EditOptions & { readonly signal?: AbortSignal };

/** Images [N C H W] in about [−1, 1], or bytes [N H W C], as the model was exported; and what they took, in milliseconds. */
export type Images = {
  readonly values: Float32Array | Uint8Array;
  readonly shape: readonly number[];
  readonly milliseconds: number;
};

type Drawn = Omit<Images, "milliseconds">;
type NoiseAt = (move: number) => Float32Array;

const timed = async (work: () => Promise<Drawn>): Promise<Images> => {
  const start = performance.now();
  return { ...(await work()), milliseconds: performance.now() - start };
};

/** A model that `soflow export` wrote, in the page: it draws in a worker, on WebGPU or WebAssembly. */
export class SoFlow {
  private constructor(
    private readonly channel: Channel,
    private readonly loaded: LoadedModel,
  ) {}

  /** Loads an exported folder over HTTP; files are kept in the browser's cache. Rejects with one line that says what was wrong. */
  static async load(url: string, options: OpenOptions = {}): Promise<SoFlow> {
    const { runtime = "ort/", device = "auto", headers = {}, onProgress, signal } = options;
    const { threads = Math.min(4, navigator.hardwareConcurrency) } = options;
    const channel = new Channel(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
    const [folder, ort] = [url, runtime].map((path) => new URL(path, document.baseURI).href) as [string, string];
    const load = { url: folder, runtime: ort, device, threads, headers };
    try {
      const answer = await channel.ask({ kind: "load", options: load }, signal, onProgress);
      if (answer.kind !== "loaded") throw new Error("the worker gave no model");
      return new SoFlow(channel, answer);
    } catch (thrown) {
      channel.close();
      throw thrown;
    }
  }

  get manifest(): LoadedModel["manifest"] {
    return this.loaded.manifest;
  }

  /** Where it runs. */
  get device(): LoadedModel["device"] {
    return this.loaded.device;
  }

  /** Threads of WebAssembly. */
  get threads(): number {
    return this.loaded.threads;
  }

  /** Names of the labels, in order; empty for an unconditional model. */
  get classes(): readonly string[] {
    return this.manifest.model.classes;
  }

  /** Whether it edits and takes several steps: a solution function of images. An autoencoder inside leaves it one of latents. */
  get hasSolution(): boolean {
    const { "model.onnx": generator, "solution.onnx": solution } = this.manifest.models;
    const { channels } = this.manifest.model.network;
    return (
      solution !== undefined && (this.manifest.images === "uint8" || generator!.outputs.images!.shape[1] === channels)
    );
  }

  private get size(): number {
    const { channels, imageSize } = this.manifest.model.network;
    return channels * imageSize * imageSize;
  }

  private async run(request: RunRequest, signal?: AbortSignal): Promise<Drawn> {
    const answer = await this.channel.ask({ kind: "run", request }, signal);
    if (answer.kind !== "ran") throw new Error("the worker gave no images");
    return { values: answer.values, shape: answer.shape };
  }

  /** f(x, t, s) of every sample [N C H W]. */
  private async solve(request: Omit<RunRequest, "model">, signal?: AbortSignal): Promise<Float32Array> {
    if (!this.hasSolution)
      throw new Error("this model has no solution function of images: it draws with one step alone");
    return (await this.run({ model: "solution.onnx", ...request }, signal)).values as Float32Array;
  }

  /** Draws images: with one evaluation of the network each, or `steps`. */
  async generate({ steps = 1, noise, signal, ...request }: PageGenerateOptions = {}): Promise<Images> {
    return timed(() => {
      const wanted = wantedImages(request, this.classes.length);
      const labels = wanted.map(({ label }) => label);
      const mixtures = wanted.map((image) => mixtureOf(image.noise, this.size));
      const noiseAt: NoiseAt = (move) =>
        move === 0 && noise ? noise : joinFloats(mixtures.map((mixture) => mixture(move)));
      return steps === 1
        ? this.run({ model: "model.onnx", x: noiseAt(0), labels }, signal)
        : this.inSteps(steps, labels, noiseAt, signal);
    });
  }

  /** N steps as in Node: SoFlow jumps to data and back to noise, MeanFlow along the trajectory. */
  private async inSteps(
    steps: number,
    labels: readonly number[],
    noiseAt: NoiseAt,
    signal?: AbortSignal,
  ): Promise<Drawn> {
    const { method, network } = this.manifest.model;
    let x = noiseAt(0);
    for (let i = 0; i < steps; i++) {
      const [t, next] = [1 - i / steps, 1 - (i + 1) / steps];
      x = await this.solve({ x, labels, t, s: method.kind === "soflow" ? 0 : next }, signal);
      if (method.kind === "soflow" && i + 1 < steps) x = noised(method.path ?? "linear", next, x, noiseAt(i + 1));
    }
    const values = x.map((value) => Math.min(1, Math.max(-1, value)));
    return { values, shape: [labels.length, network.channels, network.imageSize, network.imageSize] };
  }

  /**
   * Image to image: noise is put in up to time `strength`, and f(x_t, t, 0) takes it out again, in one round or several;
   * outside a mask the image stays. The same options give the same image in Node and from a server.
   */
  async edit({ label = 0, signal, ...options }: PageEditOptions): Promise<Images> {
    const { channels, imageSize } = this.manifest.model.network;
    const path = editPath(this.manifest.model.method) ?? "linear"; // without a solution function `solve` refuses
    return timed(async () => ({
      values: await editImage(options, path, (x, t) => this.solve({ x, labels: [label], t, s: 0 }, signal)),
      shape: [1, channels, imageSize, imageSize],
    }));
  }

  /** Noise between two seeds, `weight` of the way from the first to the second; standard normal all along. */
  between(first: number, second: number, weight: number): Float32Array {
    const at = (seed: number) => sampleNoise(seed, 0, 0, this.size);
    return mixNoise([
      { noise: at(first), weight: Math.cos((weight * Math.PI) / 2) },
      { noise: at(second), weight: Math.sin((weight * Math.PI) / 2) },
    ]);
  }

  /** Frees the worker, and with it the model. */
  close(): void {
    this.channel.close();
  }
}
