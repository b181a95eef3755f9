import type { HostArray, TensorType } from "../graph/dtype.js";

/** A tensor that belongs to a program without being in its bytes. */
export type Fixed = { readonly type: TensorType; readonly data: HostArray };

/** A serialised ONNX model and the static types of its inputs and outputs, by name. */
export type Program = {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Initializers that the bytes name and do not hold: weights that never change. Whoever runs the program keeps them. */
  readonly fixed?: Readonly<Record<string, Fixed>>;
  /** Inputs whose values never change and are bound by whoever runs the program: weights that are many. */
  readonly bound?: Readonly<Record<string, Fixed>>;
  /** Outputs that may be written into the memory of an input, which is then lost: next state over the last. */
  readonly inPlace?: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly outputs: Readonly<Record<string, TensorType>>;
};
