import { UserError } from "../../errors.js";
import { type Shape, sameShape } from "../../graph/dtype.js";
import { isDiT } from "../../models/network.js";
import type { Parameter } from "../../nn/index.js";
import type { ModelDescription } from "../model.js";
import { type ByParameter, isComputed, type Layout } from "./layout.js";

/** Differences that an error names; the others are counted. */
const MOST_NAMED = 12;

const show = (shape: Shape): string => `[${shape.join(" ")}]`;

/** The filter 1,3,3,1 over rows and columns, which every resampling layer of the official U-Net stores. */
const RESAMPLE_FILTER: Shape = [1, 1, 4, 4];

/** Shapes of the buffers that the network computes. */
const computedShape = ({ network }: ModelDescription): Shape =>
  isDiT(network) ? [1, (network.imageSize / network.patch) ** 2, network.width] : RESAMPLE_FILTER;

/** What is wrong with one part of a checkpoint, in words that begin with the tensor's name. */
const problemsOf = (part: string, found: ByParameter, parameters: readonly Parameter[], computed: Shape): string[] => {
  const wanted = new Map(parameters.map(({ name, tensor }) => [name, tensor.shape]));
  const missing = [...wanted.keys()].filter((name) => !found.has(name)).map((name) => `${part}.${name} is missing`);
  const others = [...found].flatMap(([name, { shape }]) => {
    const expected = isComputed(name) ? computed : wanted.get(name);
    if (!expected) return [`${part}.${name} is not in the network`];
    return sameShape(shape, expected) ? [] : [`${part}.${name} is ${show(shape)}, not ${show(expected)}`];
  });
  return [...missing, ...others];
};

/** Checks every part against the network; all differences are listed in one `UserError`, the first dozen by name. */
export const checkFit = (
  path: string,
  { weights, average, moments }: Layout,
  description: ModelDescription,
  parameters: readonly Parameter[],
): void => {
  const computed = computedShape(description);
  const parts = { model: weights, ema: average, m: moments && trained(moments.m), v: moments && trained(moments.v) };
  const problems = Object.entries(parts).flatMap(([part, found]) =>
    found ? problemsOf(part, found, parameters, computed) : [],
  );
  if (problems.length === 0) return;
  const more = problems.length > MOST_NAMED ? `; and ${problems.length - MOST_NAMED} more` : "";
  throw new UserError(
    `${path} does not fit the network of the configuration: ${problems.slice(0, MOST_NAMED).join("; ")}${more}`,
  );
};

/** Without what is computed: some writers keep moments for it, all zero. */
const trained = (slot: ByParameter): ByParameter => new Map([...slot].filter(([name]) => !isComputed(name)));
