import type { TensorType } from "../graph/dtype.js";
import type { Op } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOp } from "./define.js";

/** A tensor that is given when the program runs: data, noise, times, weights. */
export const inputOp: Op = {
  name: "input",
  infer: (_, { type }) => [type as TensorType],
  jvp: () => [null],
  vjp: () => null,
  onnx: (_, { attributes: { name } }) => [name as string],
  reference: () => {
    throw new Error("an input has no value before the program runs");
  },
  examples: [],
  rejects: [],
};

/** A program input. Its name must be unique in the program. */
export const input = (name: string, type: TensorType): Tensor => applyOp(inputOp, [], { name, type })[0]!;

/** The name of a program input; undefined for any other tensor. */
export const inputName = (x: Tensor): string | undefined =>
  x.node.op === inputOp ? (x.node.attributes.name as string) : undefined;
