import { type Shape, showType, type TensorType } from "../graph/dtype.js";
import type { Attributes, AttributeValue, Example, Lowering, NdArray, Op, Reject } from "../graph/op.js";
import { Node, Tensor } from "../graph/tensor.js";

type Maybe<T> = T | readonly T[];
type Named<I extends string, T> = { readonly [K in I]: T };
type Context<A> = { readonly attributes: A; readonly outputs: readonly Tensor[]; readonly y: Tensor };

/**
 * How an output moves with one input. `jvp` pushes the input's tangent to the output's, `vjp` pulls the output's
 * cotangent back to the input's. With several outputs, `jvp` returns one tangent for each (null: zero) and `vjp`
 * reads all cotangents (null: zero) from `cotangents`.
 */
export type Derivative<I extends string, A> = {
  jvp(inputs: Named<I, Tensor>, tangent: Tensor, context: Context<A>): Tensor | readonly (Tensor | null)[];
  vjp(inputs: Named<I, Tensor>, cotangent: Tensor, context: Context<A> & Cotangents): Tensor | null;
};
type Cotangents = { readonly cotangents: readonly (Tensor | null)[] };

/** The derivative is zero wherever it exists; the string says why. */
export type Zero = { readonly zero: string };

export type OpSpec<I extends string, A extends Attributes> = {
  readonly name: string;
  readonly inputs: readonly I[];
  infer(types: Named<I, TensorType>, attributes: A): Maybe<TensorType>;
  readonly wrt: { readonly [K in I]: Derivative<I, A> | Zero };
  onnx(graph: Lowering, inputs: Named<I, string>, attributes: A, node: Node): Maybe<string>;
  reference(inputs: Named<I, NdArray>, attributes: A, outputs: readonly TensorType[]): Maybe<NdArray>;
  simplify?(inputs: Named<I, Tensor>, attributes: A, outputs: readonly TensorType[]): Tensor | null;
  readonly examples: readonly Example[];
  readonly rejects: readonly Reject[];
};

/** A rule of shape inference: throws `message` unless `holds`. `applyOp` puts the operation's name before it. */
export const check = (holds: boolean, message: string): void => {
  if (!holds) throw new Error(message);
};

const asArray = <T>(value: Maybe<T>): readonly T[] => (Array.isArray(value) ? value : [value]) as readonly T[];

const named = <I extends string, T>(names: readonly I[], values: readonly T[]): Named<I, T> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]])) as Named<I, T>;

/** Turns a specification by input names into an `Op`. */
export const makeOp = <I extends string, A extends Attributes>(spec: OpSpec<I, A>): Op => {
  const contextOf = (node: Node) => ({
    attributes: node.attributes as A,
    outputs: node.outputs,
    y: node.outputs[0]!,
    inputs: named(spec.inputs, node.inputs),
  });
  return {
    name: spec.name,
    examples: spec.examples,
    rejects: spec.rejects,
    infer: (types, attributes) => asArray(spec.infer(named(spec.inputs, types), attributes as A)),
    jvp: (node, tangent, i) => {
      const rule = spec.wrt[spec.inputs[i]!];
      if ("zero" in rule) return node.outputs.map(() => null);
      const context = contextOf(node);
      return asArray<Tensor | null>(rule.jvp(context.inputs, tangent, context));
    },
    vjp: (node, cotangents, i) => {
      const rule = spec.wrt[spec.inputs[i]!];
      if ("zero" in rule || cotangents.every((ct) => ct === null)) return null;
      const context = contextOf(node);
      return rule.vjp(context.inputs, cotangents[0]!, { ...context, cotangents });
    },
    onnx: (graph, node, inputs) => asArray(spec.onnx(graph, named(spec.inputs, inputs), node.attributes as A, node)),
    reference: (inputs, attributes, outputs) =>
      asArray(spec.reference(named(spec.inputs, inputs), attributes as A, outputs)),
    ...(spec.simplify && {
      simplify: (inputs: readonly Tensor[], attributes: Attributes, outputs: readonly TensorType[]) =>
        spec.simplify!(named(spec.inputs, inputs), attributes as A, outputs),
    }),
  };
};

/** Applies an operation: infers the output types and makes the node. Errors name the operation. */
export const applyOp = (op: Op, inputs: readonly Tensor[], attributes: Attributes = {}): readonly Tensor[] => {
  let types: readonly TensorType[];
  try {
    types = op.infer(
      inputs.map((t) => t.type),
      attributes,
    );
  } catch (thrown) {
    throw new Error(`${op.name}: ${(thrown as Error).message}`);
  }
  return new Node(op, inputs, attributes, types).outputs;
};

type Arguments<I extends readonly string[], A> = [
  ...{ [K in keyof I]: Tensor },
  ...(Record<string, never> extends A ? [attributes?: A] : [attributes: A]),
];

/** An operation as a function of its inputs and attributes, with its `Op` beside it. */
export type OpFunction<I extends readonly string[], A = Record<string, never>> = ((
  ...args: Arguments<I, A>
) => Tensor) & { readonly op: Op };

/** Defines an operation with one output. */
export const defineOp = <const I extends readonly string[], A extends Attributes = Record<string, never>>(
  spec: OpSpec<I[number], A> & { readonly inputs: I },
): OpFunction<I, A> => {
  const op = makeOp(spec);
  const n = spec.inputs.length;
  const call = (...args: readonly unknown[]): Tensor =>
    applyOp(op, args.slice(0, n) as Tensor[], clean(args[n] as Attributes | undefined))[0]!;
  return Object.assign(call, { op }) as OpFunction<I, A>;
};

/** Attributes without their undefined entries. */
const clean = (attributes: Attributes = {}): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, v]: [string, AttributeValue]) => v !== undefined));

export const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;

/** `float32[2 3]`, or only the sizes when the element type does not matter to the message. */
export const show = (x: TensorType | Shape): string => ("dtype" in x ? showType(x) : `[${x.join(" ")}]`);
