import { checkOptions } from "../checks/checks.js";
import { type EditOptions, editImage, editPath, type GenerateOptions } from "../editing/index.js";
import { checkEdit } from "../editing/rules.js";
import { UserError } from "../errors.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { type Decoder, openDecoder } from "./autoencoder.js";
import { type DrawOptions, type Fixed, readWeights } from "./generate.js";
import { Generators, type Request } from "./generators.js";
import { endpointOf, type HubOptions, isModelId, resolveModel } from "./hub/hub.js";
import { checkWeights, type ModelDescription, openNetwork } from "./model.js";
import { checkDrawOptions, checkRequest, IMAGES_RULES, PRETRAINED_RULES, requirePath } from "./options.js";
import { openSource } from "./source.js";
import { Turns } from "./turns.js";

export type PretrainedOptions = HubOptions & {
  /** Folder of the autoencoder that turns latents into images, for a model that draws latents. */
  readonly vae?: string;
  /** Threads of the runtime; by default all cores. */
  readonly threads?: number;
};

export type { EditOptions } from "../editing/index.js";

export type GenerateImagesOptions = GenerateOptions &
  Omit<DrawOptions, "batch"> & {
    /** Most images of a network evaluation; default 64. It does not change the images. */
    readonly batch?: number;
  };

/** Images [count channels size size] in about [−1, 1]; with `labels` and the network evaluations that each took. */
export type Images = {
  readonly images: Float32Array<ArrayBufferLike>;
  readonly shape: readonly [count: number, channels: number, height: number, width: number];
  readonly labels: readonly number[];
  readonly evaluations: number;
};

/**
 * A trained model that is ready to draw. Programs are compiled when they are first needed; those that were used last are kept.
 * Calls may overlap: they are answered one after another in the order they came, each as if it were alone, with the options as
 * they were when it was called. Options that cannot be are refused with a `UserError` that names them.
 */
export class SoFlow {
  private readonly turns = new Turns();
  private readonly generators: Generators;
  private decoder: Decoder | undefined;
  private closing: Promise<void> | undefined;

  private constructor(
    /** What the model is: network, method, labels. */
    readonly description: ModelDescription,
    weights: Fixed,
    private readonly runtime: Runtime,
    private readonly vae: string | undefined,
  ) {
    this.generators = new Generators(runtime, description, weights);
  }

  /**
   * Opens a model folder, a run folder or a checkpoint, or downloads a model by its id, `owner/name`, from the hub that
   * `endpoint` or `$SOFLOW_HUB` names. Throws a `UserError` that says what is missing.
   */
  static async fromPretrained(pathOrId: string, options: PretrainedOptions = {}): Promise<SoFlow> {
    requirePath("fromPretrained", pathOrId);
    checkOptions("fromPretrained", options, PRETRAINED_RULES);
    const { threads, vae } = options;
    const path = await resolveModel(pathOrId, options);
    const hint =
      isModelId(path) && endpointOf(options) === undefined ? " (to download it, name a hub in SOFLOW_HUB)" : "";
    const { description, file, prefix } = await openSource(path, "ema", "fromPretrained").catch((thrown: unknown) => {
      throw thrown instanceof UserError ? new UserError(thrown.message + hint) : thrown;
    });
    try {
      checkWeights(file, openNetwork(description.network).parameters, prefix);
      const weights = await readWeights(description, (name) => file.read(prefix + name));
      return new SoFlow(description, weights, await openRuntime(threads ? { threads } : {}), vae);
    } finally {
      await file.close();
    }
  }

  /** Names of the labels, in order; empty for an unconditional model. */
  get classes(): readonly string[] {
    return this.description.classes;
  }

  /**
   * Draws images: with one network evaluation each, unless `steps` or `sampler` say otherwise. The seed decides all of them:
   * image i of a seed is the same whatever `count` and `batch`.
   */
  async generate(options: GenerateImagesOptions = {}): Promise<Images> {
    this.checkOpen("generate");
    const request = this.requestOf(options);
    return this.turns.run(() => this.draw(request));
  }

  private requestOf(options: GenerateImagesOptions): Request {
    checkOptions("generate", options, IMAGES_RULES);
    const { count = 1, labels, seed = 0, batch = 64, ...rest } = options;
    const settings = { ...rest, batch };
    checkRequest("generate", { count, labels }, this.description);
    checkDrawOptions("generate", settings, this.description);
    return { count, labels: labels ? [...labels] : this.classes.map((_, i) => i), seed, settings };
  }

  private async draw(request: Request): Promise<Images> {
    const { images, labels, evaluations } = await this.generators.draw(request);
    const { channels, imageSize } = this.description.network;
    const { count } = request;
    if (this.vae === undefined) return { images, shape: [count, channels, imageSize, imageSize], labels, evaluations };
    return { ...(await this.decode(images, count)), labels, evaluations };
  }

  /**
   * Image to image, with one evaluation a round: x_t = α(t) x + β(t) ε, then f(x_t, t, 0); outside a mask the image stays. The
   * server and the page give the same image for the same options. Throws a `UserError` for models without a solution
   * function, and for what does not fit.
   */
  async edit(options: EditOptions): Promise<Float32Array> {
    this.checkOpen("edit");
    const { method, network } = this.description;
    const path = editPath(method);
    if (path === undefined)
      throw new UserError(
        `edit: a ${method.kind} model has no solution function; edits need SoFlow, MeanFlow or α-Flow`,
      );
    checkEdit("edit", options, network);
    const { label = 0, image, mask, ...rest } = options;
    const edit = { ...rest, image: image.slice(), ...(mask && { mask: mask.slice() }) };
    return this.turns.run(() => editImage(edit, path, (start, t) => this.toData(start, t, label)));
  }

  /** f(x_t, t, 0), one jump to data. */
  private async toData(start: Float32Array, t: number, label: number): Promise<Float32Array> {
    const generator = await this.generators.get({ sampler: "solution", steps: 1, batch: 1 });
    const moves = (function* () {
      yield { program: "step", at: { t, s: 0 }, fresh: false };
    })();
    return (await generator.draw([{ label, start, noise: () => start }], { moves })).images;
  }

  private async decode(latents: Float32Array, count: number): Promise<Pick<Images, "images" | "shape">> {
    const { channels, imageSize } = this.description.network;
    this.decoder ??= await openDecoder(this.vae!, { batch: 1, latent: [channels, imageSize], runtime: this.runtime });
    const { image, decode } = this.decoder;
    const images = await decode(latents, count);
    return { images, shape: [count, image[0], image[1], image[1]] };
  }

  private checkOpen(who: string): void {
    if (this.closing) throw new UserError(`${who}: the model was closed; open it again with SoFlow.fromPretrained`);
  }

  /** Frees programs, weights and threads, once all calls before it are answered; those after it are refused. */
  close(): Promise<void> {
    this.closing ??= this.turns.run(() => this.free());
    return this.closing;
  }

  private async free(): Promise<void> {
    try {
      await this.generators.release();
      await this.decoder?.close();
    } finally {
      await this.runtime.close();
    }
  }
}
