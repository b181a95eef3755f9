import { type DType, isDType } from "../graph/dtype.js";
import type { Attributes, Example, ExampleInput, Reject } from "../graph/op.js";

/**
 * Where the values of an example come from: floats from a range, [-2, 2] unless said; integers from
 * 0 … below − 1.
 */
type Values = { readonly range?: readonly [number, number]; readonly below?: number };

const dtypeOf = (name: string): DType => {
  if (name === "") return "float32";
  if (!isDType(name)) throw new Error(`there is no element type ${name}`);
  return name;
};

/**
 * Inputs of an example from their types as errors show them: `[2 3] int64[4]`; float32 unless said.
 */
const inputsOf = (types: string, { range, below }: Values = {}): ExampleInput[] =>
  [...types.matchAll(/(\w*)\[([\d ]*)\]/g)].map(([, dtype = "", sizes = ""]) => ({
    shape: sizes.split(" ").filter(Boolean).map(Number),
    dtype: dtypeOf(dtype),
    ...(range && { range }),
    ...(below !== undefined && { below }),
  }));

/** A worked example: `example("[2 3] [3 4]", { alpha: 2 })`. */
export const example = (types: string, attributes?: Attributes, values?: Values): Example => ({
  inputs: inputsOf(types, values),
  ...(attributes && { attributes }),
});

/** Inputs that are refused with this message: `reject("[2 3] [4 5]", /inner axes differ/)`. */
export const reject = (types: string, message: RegExp, attributes?: Attributes): Reject => ({
  inputs: inputsOf(types),
  message,
  ...(attributes && { attributes }),
});
