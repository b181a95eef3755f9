import type { EditRequest, GenerateRequest, ModelList } from "../../src/serve/protocol.js";

/** Images [N C H W] in about [−1, 1]. */
export type Pixels = {
  readonly values: Float32Array;
  readonly count: number;
  readonly channels: number;
  readonly size: number;
  /** What making them took where they were made, in milliseconds. */
  readonly milliseconds: number;
  /** Network evaluations for each. */
  readonly evaluations: number;
};

/** What to draw, by which model. */
export type Drawing = Omit<GenerateRequest, "scale"> & { readonly model: string };

/** What to edit: a picture and perhaps a mask, both of the model's size; a mask is white where the picture may change. */
export type Editing = Omit<EditRequest, "scale" | "image" | "mask"> & {
  readonly model: string;
  readonly image: ImageData;
  readonly mask?: ImageData;
};

/** What makes images for the app: a server (`http.ts`), or the page itself (`page.ts`). Equal requests give equal images. */
export interface Generator {
  models(signal?: AbortSignal): Promise<ModelList>;
  generate(request: Drawing): Promise<Pixels>;
  edit(request: Editing): Promise<Pixels>;
}

/**
 * Why no images came: `offline` and `locked` are states that end, `refused` is the request's own fault, `unable` that of what
 * should have made them; `dropped` are images that nobody waits for any more.
 */
export class GeneratorError extends Error {
  constructor(
    readonly kind: "offline" | "locked" | "refused" | "unable" | "dropped",
    message: string,
  ) {
    super(message);
  }
}
