import type { TensorType } from "../graph/dtype.js";

/** A serialised ONNX model and the static types of its inputs and outputs, by name. */
export type Program = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly outputs: Readonly<Record<string, TensorType>>;
};
