import {
  type Check,
  checkOptions,
  checkValue,
  listOf,
  numberFrom,
  type Rules,
  show,
  wholeNumber,
} from "../checks/checks.js";
import { LIMITS, mostSamples, sizeText } from "../checks/limits.js";
import { UserError } from "../errors.js";
import type { EditOptions } from "./options.js";

/** Of a model: the names of its labels, and the numbers of a sample and of one of its channels. */
export type Sizes = { readonly classes: number; readonly channels: number; readonly imageSize: number };

const labels: Check = listOf(wholeNumber(0), "a list of label numbers, whole and at least 0");

/** What requests for images take, alike in Node and in a page. */
export const GENERATE_RULES: Rules = {
  count: wholeNumber(1, LIMITS.count),
  labels,
  seed: wholeNumber(0),
  steps: wholeNumber(1, LIMITS.steps),
};

const floats: Check = (value) => (value instanceof Float32Array ? undefined : "a Float32Array");

/** What edits take. */
export const EDIT_RULES: Rules = {
  image: floats,
  strength: numberFrom(0, 1),
  label: wholeNumber(0),
  seed: wholeNumber(0),
  mask: floats,
  steps: wholeNumber(1, LIMITS.steps),
};

/** Throws a `UserError`, which begins with `who`, for labels that a model of so many does not have. */
export const checkLabels = (who: string, given: Iterable<number> | undefined, classes: number): void => {
  if (given === undefined) return;
  const wanted = [...given];
  const known =
    classes > 0 ? `the model has labels 0 to ${classes - 1}` : "the model is unconditional; leave labels out";
  const wrong = wanted.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong !== undefined) throw new UserError(`${who}: label ${show(wrong)} is out of range; ${known}`);
  if (wanted.length === 0 && classes > 0) throw new UserError(`${who}: labels is empty; ${known}`);
};

/** Throws a `UserError` for more images in one call than memory can hold. */
export const checkCount = (who: string, count: number, { channels, imageSize }: Omit<Sizes, "classes">): void => {
  const numbers = channels * imageSize ** 2;
  if (count * numbers > LIMITS.numbers)
    throw new UserError(
      `${who}: count is ${count}; images of ${channels}×${imageSize}×${imageSize} then take ${sizeText(count * numbers)}; at most ${mostSamples(numbers)} fit in one call`,
    );
};

const checkNumbers = (who: string, name: string, values: Float32Array, rule: Check): void => {
  const at = values.findIndex((value) => rule(value) !== undefined);
  if (at >= 0) checkValue(who, `${name}[${at}]`, values[at], rule);
};

const real: Check = (value) => (Number.isFinite(value) ? undefined : "finite");

/** Throws a `UserError`, which begins with `who`, for an edit that does not fit a model. */
export const checkEdit = (who: string, options: EditOptions, sizes: Sizes): void => {
  checkOptions(who, options, EDIT_RULES, ["image", "strength"]);
  const { image, mask, label } = options;
  const plane = sizes.imageSize ** 2;
  const size = sizes.channels * plane;
  if (image.length !== size) throw new UserError(`${who}: the image has ${image.length} numbers; it must have ${size}`);
  checkNumbers(who, "image", image, real);
  if (mask && mask.length !== plane)
    throw new UserError(`${who}: the mask has ${mask.length} numbers; it must have ${plane}, one for each pixel`);
  if (mask) checkNumbers(who, "mask", mask, numberFrom(0, 1));
  if (label !== undefined && (sizes.classes > 0 || label !== 0)) checkLabels(who, [label], sizes.classes);
};
