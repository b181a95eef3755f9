import { type EditOptions, editImage, editPath, type GenerateOptions } from "../editing/index.js";
import { UserError } from "../errors.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { type Decoder, openDecoder } from "./autoencoder.js";
import { collect, type DrawOptions, type Fixed, Generator, readWeights } from "./generate.js";
import { endpointOf, type HubOptions, isModelId, resolveModel } from "./hub/hub.js";
import { checkWeights, type ModelDescription, openNetwork } from "./model.js";
import { openSource } from "./source.js";

export type PretrainedOptions = HubOptions & {
  /** Folder of the autoencoder that turns latents into images, for a model that draws latents. */
  readonly vae?: string;
  /** Threads of the runtime; by default all cores. */
  readonly threads?: number;
};

export type { EditOptions } from "../editing/index.js";

export type GenerateImagesOptions = GenerateOptions &
  Omit<DrawOptions, "batch"> & {
    /** Images per network evaluation; default 64, or as many as are drawn. */
    readonly batch?: number;
  };

/** Images [count channels size size] in about [−1, 1]; with `labels` and the network evaluations that each took. */
export type Images = {
  readonly images: Float32Array<ArrayBufferLike>;
  readonly shape: readonly [count: number, channels: number, height: number, width: number];
  readonly labels: readonly number[];
  readonly evaluations: number;
};

/** A trained model that is ready to draw. Programs are compiled when they are first needed, and kept. */
export class SoFlow {
  private readonly generators = new Map<string, Promise<Generator>>();
  private decoder: Promise<Decoder> | undefined;

  private constructor(
    /** What the model is: network, method, labels. */
    readonly description: ModelDescription,
    private readonly weights: Fixed,
    private readonly runtime: Runtime,
    private readonly vae: string | undefined,
  ) {}

  /**
   * Opens a model folder, a run folder or a checkpoint, or downloads a model by its id, `owner/name`, from the hub that
   * `endpoint` or `$SOFLOW_HUB` names. Throws a `UserError` that says what is missing.
   */
  static async fromPretrained(pathOrId: string, options: PretrainedOptions = {}): Promise<SoFlow> {
    const path = await resolveModel(pathOrId, options);
    const hint =
      isModelId(path) && endpointOf(options) === undefined ? " (to download it, name a hub in SOFLOW_HUB)" : "";
    const { description, file, prefix } = await openSource(path, "ema", "fromPretrained").catch((thrown: unknown) => {
      throw thrown instanceof UserError ? new UserError(thrown.message + hint) : thrown;
    });
    try {
      checkWeights(file, openNetwork(description.network).parameters, prefix);
      const weights = await readWeights(description, (name) => file.read(prefix + name));
      const runtime = await openRuntime(options.threads ? { threads: options.threads } : {});
      return new SoFlow(description, weights, runtime, options.vae);
    } finally {
      await file.close();
    }
  }

  /** Names of the labels, in order; empty for an unconditional model. */
  get classes(): readonly string[] {
    return this.description.classes;
  }

  /** Draws images: with one network evaluation each, unless `steps` or `sampler` say otherwise. The seed decides all of them. */
  async generate(options: GenerateImagesOptions = {}): Promise<Images> {
    const { count = 1, labels = this.classes.map((_, i) => i), seed = 0, batch = 64, ...settings } = options;
    this.checkLabels(labels);
    const generator = await this.generator({ ...settings, batch: Math.min(batch, count) });
    const drawn = await collect(generator.generate({ count, labels, seed }));
    const { channels, imageSize } = this.description.network;
    const { images, labels: given, evaluations } = drawn;
    if (this.vae === undefined)
      return { images, shape: [count, channels, imageSize, imageSize], labels: given, evaluations };
    return { ...(await this.decode(images, count)), labels: given, evaluations };
  }

  /**
   * Image to image, with one evaluation a round: x_t = α(t) x + β(t) ε, then f(x_t, t, 0); outside a mask the image stays. The
   * server and the page give the same image for the same options. Throws a `UserError` for models without a solution
   * function, and for what does not fit.
   */
  async edit({ label = 0, ...options }: EditOptions): Promise<Float32Array> {
    const { method, network } = this.description;
    const path = editPath(method);
    if (path === undefined)
      throw new UserError(`edit: a ${method.kind} model has no solution function; edits need SoFlow or MeanFlow`);
    const [{ length }, size] = [options.image, network.channels * network.imageSize ** 2];
    if (length !== size) throw new UserError(`edit: the image has ${length} numbers; it must have ${size}`);
    if (this.classes.length > 0) this.checkLabels([label]);
    const generator = await this.generator({ sampler: "solution", steps: 1, batch: 1 });
    return editImage(options, path, async (start, t) => {
      const moves = (function* () {
        yield { program: "step", at: { t, s: 0 }, fresh: false };
      })();
      return (await generator.draw([{ label, start, noise: () => start }], { moves })).images;
    });
  }

  private checkLabels(labels: readonly number[]): void {
    const { length } = this.classes;
    const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= length);
    if (wrong === undefined) return;
    const known =
      length > 0 ? `the model has labels 0 to ${length - 1}` : "the model is unconditional; leave labels out";
    throw new UserError(`generate: label ${wrong} is out of range; ${known}`);
  }

  private generator(options: DrawOptions): Promise<Generator> {
    const name = JSON.stringify(options);
    const known = this.generators.get(name) ?? Generator.create(this.runtime, this.description, options, this.weights);
    this.generators.set(name, known);
    return known;
  }

  private async decode(latents: Float32Array, count: number): Promise<Pick<Images, "images" | "shape">> {
    const { channels, imageSize } = this.description.network;
    this.decoder ??= openDecoder(this.vae!, { batch: 1, latent: [channels, imageSize], runtime: this.runtime });
    const { image, decode } = await this.decoder;
    const images = await decode(latents, count);
    return { images, shape: [count, image[0], image[1], image[1]] };
  }

  /** Frees programs, weights and threads. */
  async close(): Promise<void> {
    for (const generator of this.generators.values()) (await generator).release();
    await (await this.decoder)?.close();
    await this.runtime.close();
  }
}
