import { composite, mixNoise, noised } from "../editing/noise.js";
import { key } from "../random/random.js";
import { sampleNoise } from "../random/sampleNoise.js";
import type { SubmitOptions } from "./batcher.js";
import type { Job, Made, ServedModel } from "./model.js";
import type { ParsedEdit, ParsedGenerate } from "./protocol.js";
import { Refusal } from "./refusal.js";

type Part = { readonly seed: number; readonly index: number; readonly weight: number };

/** The noise of a mixture of seeds at move k: every seed's own, mixed alike at every move. */
const mixtureOf =
  (parts: readonly Part[], length: number) =>
  (move: number): Float32Array =>
    mixNoise(parts.map(({ seed, index, weight }) => ({ noise: sampleNoise(seed, index, move, length), weight })));

const checkLabel = (label: number, { info: { classes } }: ServedModel): number => {
  if (label < Math.max(1, classes.length)) return label;
  const known = classes.length > 0 ? `has labels 0 to ${classes.length - 1}` : "is unconditional: leave labels out";
  throw new Refusal(422, "label", `label ${label} is out of range; the model ${known}`);
};

type Wanted = { readonly label: number; readonly noise: readonly Part[] };

const wantedImages = ({ images, count = 1, seed = 0, labels }: ParsedGenerate, classes: number): readonly Wanted[] =>
  images?.map(({ label = 0, noise }) => ({ label, noise })) ??
  Array.from({ length: count }, (_, i) => ({
    label: labels ? labels[i % labels.length]! : i % Math.max(1, classes),
    noise: [{ seed, index: i, weight: 1 }],
  }));

/** The jobs of a request. Throws a `Refusal` for labels that the model lacks and more than `maxCount` images. */
export const generateJobs = (request: ParsedGenerate, model: ServedModel, maxCount: number): readonly Job[] => {
  const wanted = wantedImages(request, model.info.classes.length);
  if (wanted.length > maxCount)
    throw new Refusal(422, "count", `${wanted.length} images are more than this server's ${maxCount} in a request`);
  const steps = request.steps ?? model.info.steps;
  model.checkSteps(steps);
  return wanted.map(({ label, noise }) => ({
    label: checkLabel(label, model),
    noise: mixtureOf(noise, model.imageLength),
    steps,
  }));
};

export type EditInput = {
  /** [C H W] in [−1, 1]. */
  readonly image: Float32Array;
  /** [H W] in [0, 1]: 1 where the image may change. */
  readonly mask?: Float32Array;
};

/**
 * Edits an image: noise up to time `strength`, then one jump to data. In more rounds the result takes the image's place
 * and the noise falls evenly: t_i = strength (1 − i/N). Under a mask, what must stay is put back after every round, so
 * that the next sees it in place.
 */
export const editImage = async (
  { image, mask }: EditInput,
  request: Pick<ParsedEdit, "strength" | "steps" | "seed" | "label">,
  model: ServedModel,
  options: SubmitOptions<Made>,
): Promise<Made> => {
  const { path, info } = model;
  if (path === undefined)
    throw new Refusal(422, "edit", `${info.name} is a ${info.methodName} model; edits need SoFlow or MeanFlow`);
  const label = checkLabel(request.label ?? 0, model);
  let [current, evaluations] = [image, 0];
  for (let round = 0; round < request.steps; round++) {
    const t = request.strength * (1 - round / request.steps);
    const eps = key(request.seed).fold("edit").fold(round).normal(image.length);
    const job: Job = { label, noise: () => eps, start: noised(path, t, current, eps), t };
    const [made] = await model.batcher.submit([job], options);
    current = mask ? composite(mask, made!.image, image) : made!.image;
    evaluations += made!.evaluations;
  }
  return { image: current, evaluations };
};
