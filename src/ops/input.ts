import type { TensorType } from "../graph/dtype.js";
import type { Attributes, Op } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOne } from "./define.js";

type Given = { readonly name: string; readonly type: TensorType };
const givenOf = (attributes: Attributes): Given => attributes as Given;

/** A tensor that is given when the program runs: data, noise, times, weights. */
export const inputOp: Op = {
  name: "input",
  label: (attributes) => `input ${givenOf(attributes).name}`,
  infer: (_, attributes) => [givenOf(attributes).type],
  jvp: () => [null],
  vjp: () => null,
  onnx: (_, { attributes }) => [givenOf(attributes).name],
  reference: () => {
    throw new Error("an input has no value before the program runs");
  },
  examples: [],
  rejects: [],
};

/** A program input. Its name must be unique in the program. */
export const input = (name: string, type: TensorType): Tensor => applyOne(inputOp, [], { name, type });

/** The name of a program input; undefined for any other tensor. */
export const inputName = (x: Tensor): string | undefined =>
  x.node.op === inputOp ? givenOf(x.node.attributes).name : undefined;
