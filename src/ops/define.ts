import { type Sizes, sizesOf } from "../graph/axes.js";
import { type Shape, showType, type TensorType } from "../graph/dtype.js";
import { nth, zip } from "../graph/lists.js";
import type { Attributes, AttributeValue, Example, Lowering, NdArray, Op, Reject, Traits } from "../graph/op.js";
import { Node, scopeNote, Tensor } from "../graph/tensor.js";

export type Named<I extends string, T> = { readonly [K in I]: T };
type Maybe = Tensor | null;

/** The derivative is zero wherever it exists; the string says why. */
export type Zero = { readonly zero: string };

/** What rules may read beside the inputs: the result too, which need not be computed again. */
export type Context<A> = { readonly attributes: A; readonly y: Tensor };
export type ManyContext<A> = { readonly attributes: A; readonly outputs: readonly Tensor[] };

/**
 * How the result moves with one input: `jvp` pushes a tangent forward, `vjp` pulls a cotangent
 * back; null is zero.
 */
export type Derivative<I extends string, A> = {
  jvp(inputs: Named<I, Tensor>, tangent: Tensor, context: Context<A>): Maybe;
  vjp(inputs: Named<I, Tensor>, cotangent: Tensor, context: Context<A>): Maybe;
};

/**
 * The result is linear in this input: with a tangent in its place, the operation itself gives the
 * result's tangent.
 */
export type Linear<I extends string, A> = {
  adjoint(cotangent: Tensor, inputs: Named<I, Tensor>, context: Context<A>): Maybe;
};

type ManyDerivative<I extends string, A> = {
  /** One tangent for each result. */
  jvp(inputs: Named<I, Tensor>, tangent: Tensor, context: ManyContext<A>): readonly Maybe[];
  vjp(inputs: Named<I, Tensor>, cotangents: readonly Maybe[], context: ManyContext<A>): Maybe;
};
type ManyLinear<I extends string, A> = {
  adjoint(cotangents: readonly Maybe[], inputs: Named<I, Tensor>, context: ManyContext<A>): Maybe;
};

type Common<I extends string> = Traits & {
  readonly name: string;
  readonly inputs: readonly I[];
  readonly examples: readonly Example[];
  readonly rejects: readonly Reject[];
};

/** An operation with one result, by the names of its inputs. */
export type OpSpec<I extends string, A> = Common<I> & {
  infer(types: Named<I, TensorType>, attributes: A): TensorType;
  readonly wrt: { readonly [K in I]: Derivative<I, A> | Linear<I, A> | Zero };
  /** Emits nodes for inputs of these names. */
  onnx(
    graph: Lowering,
    names: Named<I, string>,
    attributes: A,
    tensors: { inputs: Named<I, Tensor>; y: Tensor },
  ): string;
  reference(inputs: Named<I, NdArray>, attributes: A, y: TensorType): NdArray;
  simplify?(inputs: Named<I, Tensor>, attributes: A, y: TensorType): Maybe;
};

/** The same for several results. */
export type ManySpec<I extends string, A> = Common<I> & {
  infer(types: Named<I, TensorType>, attributes: A): readonly TensorType[];
  readonly wrt: { readonly [K in I]: ManyDerivative<I, A> | ManyLinear<I, A> | Zero };
  onnx(
    graph: Lowering,
    names: Named<I, string>,
    attributes: A,
    inputs: Named<I, Tensor>,
    node: Node,
  ): readonly string[];
  reference(inputs: Named<I, NdArray>, attributes: A, outputs: readonly TensorType[]): readonly NdArray[];
  simplify?(inputs: Named<I, Tensor>, attributes: A, outputs: readonly TensorType[]): Maybe;
};

/**
 * A rule of shape inference: throws `message` unless `holds`. `applyOp` adds the operation and what
 * it was given.
 */
export const check = (holds: boolean, message: string): void => {
  if (!holds) throw new Error(message);
};

/**
 * Sizes of an operand by the names of its axes; throws when it has others:
 * `x must have 4 axes, B C H W`.
 */
export const axesOf = <A extends string>(name: string, { shape }: { readonly shape: Shape }, axes: A): Sizes<A> => {
  const sizes = sizesOf(shape, axes);
  const count = axes.split(" ").length;
  if (!sizes) throw new Error(`${name} must have ${count} ${count === 1 ? "axis" : "axes"}, ${axes}`);
  return sizes;
};

const named = <I extends string, T extends NonNullable<unknown>>(names: readonly I[], values: readonly T[]) =>
  Object.fromEntries(zip(names, values)) as Named<I, T>;

/** Turns a specification by input names into an `Op`. */
export const makeOp = <I extends string, A>(spec: ManySpec<I, A>): Op => {
  const { infer, wrt, onnx, reference, simplify, ...rest } = spec;
  const ruleOf = (i: number) => wrt[nth(spec.inputs, i)];
  const own = (attributes: Attributes) => attributes as A;
  const contextOf = ({ attributes, outputs }: Node) => ({ attributes: own(attributes), outputs });
  const op: Op = {
    ...rest,
    infer: (types, attributes) => infer(named(spec.inputs, types), own(attributes)),
    jvp: (node, tangent, i) => {
      const rule = ruleOf(i);
      if ("zero" in rule) return node.outputs.map(() => null);
      if ("jvp" in rule) return rule.jvp(named(spec.inputs, node.inputs), tangent, contextOf(node));
      return applyOp(op, node.inputs.with(i, tangent), node.attributes);
    },
    vjp: (node, cotangents, i) => {
      const rule = ruleOf(i);
      if ("zero" in rule || cotangents.every((ct) => ct === null)) return null;
      const inputs = named(spec.inputs, node.inputs);
      if ("jvp" in rule) return rule.vjp(inputs, cotangents, contextOf(node));
      return rule.adjoint(cotangents, inputs, contextOf(node));
    },
    onnx: (graph, node, names) =>
      onnx(graph, named(spec.inputs, names), own(node.attributes), named(spec.inputs, node.inputs), node),
    reference: (inputs, attributes, outputs) => reference(named(spec.inputs, inputs), own(attributes), outputs),
    ...(simplify && {
      simplify: (inputs: readonly Tensor[], attributes: Attributes, outputs: readonly TensorType[]) =>
        simplify(named(spec.inputs, inputs), own(attributes), outputs),
    }),
  };
  return op;
};

/**
 * `a is float32[2 3] from gelu in blocks.3, b is float32[4 5] from input w`, for the end of an
 * error.
 */
const operands = ({ inputs: names }: Op, inputs: readonly Tensor[]): string =>
  inputs
    .map((x, i) => `${names?.[i] ?? `input ${i}`} is ${showType(x.type)} from ${x.node.origin}`)
    .map((text, i) => `${i === 0 ? ": " : ", "}${text}`)
    .join("");

/**
 * Applies an operation: infers the output types and makes the node. Errors name the operation, its
 * operands with their types and where each was made, and the scope that is being built.
 */
export const applyOp = (op: Op, inputs: readonly Tensor[], attributes: Attributes = {}): readonly Tensor[] => {
  let types: readonly TensorType[];
  try {
    types = op.infer(
      inputs.map((t) => t.type),
      attributes,
    );
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Error(`${op.name}: ${message}${operands(op, inputs)}${scopeNote()}`);
  }
  return new Node(op, inputs, attributes, types).outputs;
};

/** Applies an operation that has one result. */
export const applyOne = (op: Op, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor =>
  nth(applyOp(op, inputs, attributes), 0);

/** Rules for one result as rules for a list of them. */
const listed = <I extends string, A>(
  rule: Derivative<I, A> | Linear<I, A> | Zero,
): ManyDerivative<I, A> | ManyLinear<I, A> | Zero => {
  const one = ({ attributes, outputs }: ManyContext<A>) => ({ attributes, y: nth(outputs, 0) });
  if ("zero" in rule) return rule;
  if ("adjoint" in rule) {
    return { adjoint: ([ct], inputs, context) => (ct ? rule.adjoint(ct, inputs, one(context)) : null) };
  }
  return {
    jvp: (inputs, tangent, context) => [rule.jvp(inputs, tangent, one(context))],
    vjp: (inputs, [ct], context) => (ct ? rule.vjp(inputs, ct, one(context)) : null),
  };
};

const asMany = <I extends string, A>(spec: OpSpec<I, A>): ManySpec<I, A> => {
  const { infer, wrt, onnx, reference, simplify, ...rest } = spec;
  const rules = spec.inputs.map((name) => [name, listed(wrt[name])]);
  return {
    ...rest,
    infer: (types, attributes) => [infer(types, attributes)],
    wrt: Object.fromEntries(rules),
    onnx: (graph, names, attributes, inputs, { output: y }) => [onnx(graph, names, attributes, { inputs, y })],
    reference: (inputs, attributes, types) => [reference(inputs, attributes, nth(types, 0))],
    ...(simplify && { simplify: (inputs, attributes, types) => simplify(inputs, attributes, nth(types, 0)) }),
  };
};

type Arguments<I extends readonly string[], A> = [
  ...{ [K in keyof I]: Tensor },
  ...(Record<string, never> extends A ? [attributes?: A] : [attributes: A]),
];

/** An operation as a function of its inputs and attributes, with its `Op` beside it. */
export type OpFunction<I extends readonly string[], A = Record<string, never>> = ((
  ...args: Arguments<I, A>
) => Tensor) & { readonly op: Op };

const isAttributes = (x: unknown): x is Attributes => typeof x === "object" && x !== null && !isTensor(x);

/** Defines an operation with one result. */
export const defineOp = <const I extends readonly string[], A extends Attributes = Record<string, never>>(
  spec: OpSpec<I[number], A> & { readonly inputs: I },
): OpFunction<I, A> => {
  const op = makeOp(asMany<I[number], A>(spec));
  const call = (...args: readonly unknown[]): Tensor =>
    applyOne(op, args.filter(isTensor), clean(args.find(isAttributes)));
  return Object.assign(call, { op });
};

/** Attributes without their undefined entries. */
const clean = (attributes: Attributes = {}): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, v]: [string, AttributeValue]) => v !== undefined));

export const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;

/** `float32[2 3]`, or only the sizes when the element type does not matter to the message. */
export const show = (x: TensorType | Shape): string => ("dtype" in x ? showType(x) : `[${x.join(" ")}]`);
