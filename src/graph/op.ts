import type { HostArray, Shape, TensorType } from "./dtype.js";
import type { Node, Tensor } from "./tensor.js";

/** What a node carries besides its inputs: plain data, comparable as JSON, except host arrays (compared by identity). */
export type AttributeValue = string | number | boolean | readonly number[] | HostArray | TensorType | undefined;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A dense float64 array: what reference implementations compute with. Integers and booleans are held exactly. */
export type NdArray = { readonly shape: Shape; readonly data: Float64Array };

/** Attribute values of an ONNX node. Numbers are written as floats when `float()` wraps them, else as ints. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

/** What an operation may say to the graph that is being lowered. Values are named by strings. */
export interface Lowering {
  /** Whether only operations of the ONNX standard may be used, not those of ONNX Runtime alone. */
  readonly standard: boolean;
  /** Adds an ONNX node with one output and returns its name. */
  node(type: string, inputs: readonly string[], options?: OnnxNodeOptions): string;
  /** Adds an ONNX node with several outputs. */
  nodes(type: string, inputs: readonly string[], outputs: number, options?: OnnxNodeOptions): string[];
  /** A constant that is stored in the program. */
  constant(data: HostArray, type: TensorType): string;
  /** A one-dimensional int64 constant: shapes, axes, permutations. */
  integers(values: readonly number[]): string;
  /** A scalar constant. */
  scalar(value: number, dtype: TensorType["dtype"]): string;
}
export type OnnxNodeOptions = {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
};

/** A worked example: shapes (float32 unless a type is given), values drawn from `range` or from 0 … below−1 for integers. */
export type ExampleInput =
  | Shape
  | { shape: Shape; dtype?: TensorType["dtype"]; range?: readonly [number, number]; below?: number };
export type Example = { readonly inputs: readonly ExampleInput[]; readonly attributes?: Attributes };
export type Reject = Example & { readonly message: RegExp };

/** What passes over a graph ask of an operation; absent is no. */
export type Traits = {
  /**
   * Its kernel has read element i of every operand when it writes element i of the result, so that
   * the result may take an operand's memory. Not the kernels that go over their input twice, as
   * some activations do.
   */
  readonly elementwise?: boolean;
  /** The result has the input's elements in the same order, and may be the input's memory. */
  readonly view?: boolean;
  /**
   * The elements of the result are elements of the input, repeated: cheaper to repeat at run time
   * than to store.
   */
  readonly repeats?: boolean;
  /** GPUs of the web may compute it too loosely for what depends on it. */
  readonly looseOnGpu?: boolean;
};

/** An operation: everything the engine asks of it, it answers itself. Build one with `defineOp` and its families. */
export interface Op extends Traits {
  readonly name: string;
  /** Names of the inputs, for errors; absent where there may be any number of them. */
  readonly inputs?: readonly string[];
  /** What a node of it is called in errors, where that is more than the name. */
  label?(attributes: Attributes): string;
  /** Output types, or an error that says which rule the inputs break. */
  infer(inputs: readonly TensorType[], attributes: Attributes): readonly TensorType[];
  /** Forward mode: what the tangent of input `i` adds to each output's tangent, before broadcasting; null where zero. */
  jvp(node: Node, tangent: Tensor, i: number): readonly (Tensor | null)[];
  /** Reverse mode: the cotangent of input `i`, before broadcasting is undone; null where it is zero. */
  vjp(node: Node, cotangents: readonly (Tensor | null)[], i: number): Tensor | null;
  /** Emits ONNX nodes; returns the names of the outputs. */
  onnx(graph: Lowering, node: Node, inputs: readonly string[]): readonly string[];
  /** The definition in float64, for the conformance test and for constant folding. */
  reference(inputs: readonly NdArray[], attributes: Attributes, outputs: readonly TensorType[]): readonly NdArray[];
  /** A cheaper tensor with the same value, built from inputs that are already simplified; null when there is none. */
  simplify?(inputs: readonly Tensor[], attributes: Attributes, outputs: readonly TensorType[]): Tensor | null;
  readonly examples: readonly Example[];
  readonly rejects: readonly Reject[];
}
