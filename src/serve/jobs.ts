import { composite, editImage as editInRounds, mixtureOf, wantedImages } from "../editing/index.js";
import type { SubmitOptions } from "./batcher.js";
import type { Drawing, Made, ServedModel } from "./model.js";
import type { ParsedEdit, ParsedGenerate } from "./protocol.js";
import { Refusal } from "./refusal.js";

const checkLabel = (label: number, { info: { classes } }: ServedModel): number => {
  if (label < Math.max(1, classes.length)) return label;
  const known = classes.length > 0 ? `has labels 0 to ${classes.length - 1}` : "is unconditional: leave labels out";
  throw new Refusal(422, "label", `label ${label} is out of range; the model ${known}`);
};

/** The jobs of a request. Throws a `Refusal` for labels that the model lacks and more than `maxCount` images. */
export const generateJobs = (request: ParsedGenerate, model: ServedModel, maxCount: number): readonly Drawing[] => {
  const wanted = wantedImages(request, model.info.classes.length);
  if (wanted.length > maxCount)
    throw new Refusal(422, "count", `${wanted.length} images are more than this server's ${maxCount} in a request`);
  const steps = request.steps ?? model.info.steps;
  model.checkSteps(steps);
  return wanted.map(({ label, noise }) => ({
    label: checkLabel(label, model),
    noise: mixtureOf(noise, model.noiseLength),
    steps,
  }));
};

export type EditInput = {
  /** [C H W] in [−1, 1]. */
  readonly image: Float32Array;
  /** [H W] in [0, 1]: 1 where the image may change. */
  readonly mask?: Float32Array;
};

/** The path of a model's edits and the label of this one. Throws a `Refusal` for models that cannot edit, and labels they lack. */
export const checkEdit = ({ label = 0 }: Pick<ParsedEdit, "label">, model: ServedModel) => {
  const { path, info } = model;
  if (path === undefined)
    throw new Refusal(422, "edit", `${info.name} is a ${info.methodName} model; edits need SoFlow, MeanFlow or α-Flow`);
  return { path, label: checkLabel(label, model) };
};

/** Edits an image round by round, each through the model's queue. Throws as `checkEdit` does. */
export const editImage = async (
  { image, mask }: EditInput,
  request: Pick<ParsedEdit, "strength" | "steps" | "seed" | "label">,
  model: ServedModel,
  options: SubmitOptions<Made>,
): Promise<Made> => {
  const { pictures } = model;
  const { path, label } = checkEdit(request, model);
  const { strength, steps, seed } = request;
  let evaluations = 0;
  const given = { image: await model.convert("toModel", image, options), mask: mask && pictures.toModelMask(mask) };
  const edited = await editInRounds({ ...given, strength, steps, seed }, path, async (start, t) => {
    const [made] = await model.batcher.submit([{ label, noise: () => start, start, t }], options);
    evaluations += made!.evaluations;
    return made!.image;
  });
  const picture = await model.convert("toPictures", edited, options);
  return { image: mask && pictures.areDecoded ? composite(mask, picture, image) : picture, evaluations }; // decoding touches what stays
};
