import type { DType, HostArray, TensorType } from "../graph/dtype.js";
import { lookup, nth, renew, zip } from "../graph/lists.js";
import type { Lowering, OnnxNodeOptions } from "../graph/op.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { hostArrayOf, isConstant } from "../ops/constant.js";
import { add, inputName } from "../ops/index.js";
import { isGemm } from "../ops/matmul.js";
import { checkInPlace } from "./inPlace.js";
import { encodeModel, type OnnxConstant, type OnnxModel, type OnnxNode } from "./model.js";
import type { Fixed, Program } from "./program.js";
import { contentText, inputsOf, simplify } from "./simplify.js";

/** Collects what operations emit. Small constants are shared by content. */
class Builder implements Lowering {
  readonly emitted: OnnxNode[] = [];
  readonly constants: OnnxConstant[] = [];
  private readonly shared = new Map<string, string>();
  private count = 0;
  prefix = "";
  looseOnGpu = false;

  constructor(readonly standard: boolean) {}

  node(type: string, inputs: readonly string[], options: OnnxNodeOptions = {}): string {
    return nth(this.nodes(type, inputs, 1, options), 0);
  }

  nodes(type: string, inputs: readonly string[], outputs: number, options: OnnxNodeOptions = {}): string[] {
    const name = `${this.prefix}${type}_${this.count++}`;
    const names = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? name : `${name}.${i}`));
    this.emitted.push({ name, type, inputs, outputs: names, ...options, ...(this.looseOnGpu && { looseOnGpu: true }) });
    return names;
  }

  constant(data: HostArray, type: TensorType): string {
    // Not in models for any batch: two shapes may be the same for one batch and differ for another.
    const key = !this.standard && data.length <= 64 ? `${type.dtype}[${type.shape}]${contentText(data)}` : undefined;
    const known = key && this.shared.get(key);
    if (known) return known;
    const name = `constant_${this.count++}`;
    this.constants.push({ name, type, data });
    if (key) this.shared.set(key, name);
    return name;
  }

  integers(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), { dtype: "int64", shape: [values.length] });
  }

  scalar(value: number, dtype: DType): string {
    return this.constant(hostArrayOf([value], dtype), { dtype, shape: [] });
  }
}

/** How often each tensor is read, program outputs included. */
const countUses = (nodes: readonly Node[], outputs: readonly Tensor[]): Map<Tensor, number> => {
  const uses = new Map<Tensor, number>();
  for (const x of [...nodes.flatMap((node) => node.inputs), ...outputs]) uses.set(x, (uses.get(x) ?? 0) + 1);
  return uses;
};

type Biased = readonly [product: Tensor, bias: Tensor];

/** For `product + bias` with a bias row, the product and the bias: Gemm adds the bias while it writes. */
const biasedProduct = ({ op, inputs: [a, b], output }: Node, uses: ReadonlyMap<Tensor, number>): Biased | null => {
  if (op !== add.op || !a || !b || output.rank !== 2) return null;
  const pairs: readonly Biased[] = [
    [a, b],
    [b, a],
  ];
  const fits = ([product, bias]: Biased): boolean =>
    isGemm(product) && uses.get(product) === 1 && bias.rank === 1 && bias.dim(0) === product.dim(1);
  return pairs.find(fits) ?? null;
};

const fuse = (nodes: readonly Node[], uses: ReadonlyMap<Tensor, number>): Map<Node, Biased> =>
  new Map(
    nodes.flatMap((node) => {
      const pair = biasedProduct(node, uses);
      return pair ? [[node, pair] as const] : [];
    }),
  );

/**
 * Orders nodes for ONNX Runtime, which walks backwards from results and takes the last one in the list first.
 * Nodes whose results only leave the program (weight gradients) go to the end, the earliest-ready last: then each
 * gradient is computed as soon as it can be and what it needs is freed, instead of living to the end of the pass.
 */
const schedule = (nodes: readonly Node[], outputs: readonly Tensor[]): Node[] => {
  const consumed = new Set(nodes.flatMap((node) => node.inputs.map((x) => x.node)));
  const leaves = new Set(outputs.map((y) => y.node).filter((node) => !consumed.has(node)));
  return [...nodes.filter((node) => !leaves.has(node)), ...nodes.filter((node) => leaves.has(node)).reverse()];
};

const lowerNode = (
  builder: Builder,
  node: Node,
  names: Map<Tensor, string>,
  fused: ReadonlyMap<Node, Biased>,
): void => {
  builder.prefix = node.scope && `${node.scope}/`;
  builder.looseOnGpu = node.op.looseOnGpu ?? false;
  const [product, bias] = fused.get(node) ?? [];
  if (product && bias) {
    const inputs = [...product.node.inputs, bias].map((x) => lookup(names, x));
    const { transposeA = false, transposeB = false, alpha = 1 } = product.node.attributes;
    const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: Number(alpha) } };
    names.set(node.output, builder.node("Gemm", inputs, { attributes }));
    return;
  }
  const results = node.op.onnx(
    builder,
    node,
    node.inputs.map((x) => lookup(names, x)),
  );
  for (const [y, name] of zip(node.outputs, results)) names.set(y, name);
};

export type LowerOptions = {
  /** Inputs whose values are known for good, such as weights that are not trained. */
  readonly given?: Readonly<Record<string, HostArray>>;
  /** Outputs that may be written over an input, by the input's name. Throws where that would change the result. */
  readonly inPlace?: Readonly<Record<string, string>>;
};

/**
 * Lowers named outputs to an ONNX model. Inputs are whatever `input` tensors the outputs depend on (weights are among
 * them, so the model stays small however large the network is), without those whose values are `given` for good: ONNX
 * Runtime lays such weights out for its products once, when the program is compiled.
 */
export const lower = (
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  { given = {}, inPlace = {} }: LowerOptions = {},
): Program => {
  const wanted = simplify(Object.values(outputs));
  checkInPlace(name, renew(outputs, wanted), inPlace);
  const program = withGiven(modelOf(name, outputs, wanted, false), given);
  return Object.keys(inPlace).length > 0 ? { ...program, inPlace } : program;
};

/** The parts of the same model before they are written, in ONNX's standard operations alone; weights are among its inputs. */
export const lowerStandard = (name: string, outputs: Readonly<Record<string, Tensor>>): OnnxModel =>
  modelOf(name, outputs, simplify(Object.values(outputs)), true);

const modelOf = (
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  wanted: readonly Tensor[],
  standard: boolean,
): OnnxModel => {
  const nodes = ancestors(wanted);
  const uses = countUses(nodes, wanted);
  const fused = fuse(nodes, uses);
  const absorbed = new Set([...fused.values()].map(([product]) => product.node));
  const builder = new Builder(standard);
  const names = new Map<Tensor, string>();
  for (const node of schedule(nodes, wanted)) if (!absorbed.has(node)) lowerNode(builder, node, names, fused);
  return finish(name, outputs, wanted, builder, names);
};

/**
 * Weights of more bytes than this, together, are not made initializers: ONNX Runtime would copy them, and gains nothing by
 * laying them out for its products (DiT-B/2: the same time either way; a DiT of 1.3 million parameters: a tenth less).
 */
const INITIALIZER_LIMIT = 1 << 26;

const typesOf = (tensors: Readonly<Record<string, Fixed>>): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { type }]) => [name, type]));

const float32Bytes = (given: readonly HostArray[]): number =>
  given.reduce((sum, data) => sum + (data instanceof Float32Array ? data.byteLength : 0), 0);

/** Whether given weights are few enough to become initializers. */
export const areFew = (given: Readonly<Record<string, HostArray>>): boolean =>
  float32Bytes(Object.values(given)) <= INITIALIZER_LIMIT;

/** Which given tensors become initializers and which are bound. Packed integers always are initializers: kernels ask for it. */
const shareOut = (given: readonly (readonly [string, Fixed])[]) => {
  const many = float32Bytes(given.map(([, { data }]) => data)) > INITIALIZER_LIMIT;
  const isBound = ([, { type }]: readonly [string, Fixed]): boolean => many && type.dtype === "float32";
  return {
    fixed: Object.fromEntries(given.filter((entry) => !isBound(entry))),
    bound: Object.fromEntries(given.filter(isBound)),
  };
};

/** A second name for a value, right after the value: at the end of the list it would be what ONNX Runtime computes first. */
const insertCopy = (nodes: OnnxNode[], value: string, output: string): void => {
  const after = nodes.findIndex(({ outputs }) => outputs.includes(value)) + 1;
  nodes.splice(after, 0, { name: `copy_${output}`, type: "Identity", inputs: [value], outputs: [output] });
};

/** Gives results their public names. A result that is an input, a constant or a second name for one is copied. */
const finish = (
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  wanted: readonly Tensor[],
  builder: Builder,
  names: ReadonlyMap<Tensor, string>,
): OnnxModel => {
  builder.prefix = "";
  const renamed = new Map<string, string>();
  for (const [output, x] of zip(Object.keys(outputs), wanted)) {
    const internal = lookup(names, x);
    const copied = isConstant(x) || inputName(x) !== undefined || renamed.has(internal);
    if (copied) insertCopy(builder.emitted, internal, output);
    else renamed.set(internal, output);
  }
  const rename = (value: string): string => renamed.get(value) ?? value;
  const nodes = builder.emitted.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const inputs = inputsOf(wanted);
  const clash = Object.keys(outputs).find((output) => output in inputs);
  if (clash !== undefined) throw new Error(`program ${name}: ${clash} names both an input and an output`);
  const types = wanted.map(({ type }) => type);
  return { name, nodes, constants: builder.constants, inputs, outputs: renew(outputs, types) };
};

/** A program of a model some of whose inputs are known for good. */
const withGiven = (model: OnnxModel, given: Readonly<Record<string, HostArray>>): Program => {
  const all = Object.entries(model.inputs);
  const inputs = Object.fromEntries(all.filter(([input]) => given[input] === undefined));
  const { fixed, bound } = shareOut(
    all.flatMap(([input, type]) => {
      const data = given[input];
      return data ? [[input, { type, data }]] : [];
    }),
  );
  return {
    name: model.name,
    bytes: encodeModel({ ...model, fixed: typesOf(fixed), inputs: { ...inputs, ...typesOf(bound) } }),
    ...(Object.keys(fixed).length > 0 && { fixed }),
    ...(Object.keys(bound).length > 0 && { bound }),
    inputs,
    outputs: model.outputs,
  };
};
