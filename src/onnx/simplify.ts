import type { HostArray, TensorType } from "../graph/dtype.js";
import { bytesOf, isHostArray, sameShape, showType, sizeOf } from "../graph/dtype.js";
import { nth, zip } from "../graph/lists.js";
import { Node, type Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { constantData, hostArrayOf, isConstant } from "../ops/constant.js";
import { constantOf, inputName } from "../ops/index.js";

/** Results up to this many elements are computed when the program is built. */
const FOLD_LIMIT = 1 << 16;

/** A number as a string that tells −0 from 0: dividing by them differs. */
const exactText = (value: number | bigint): string => (Object.is(value, -0) ? "-0" : String(value));

/** The elements of a host array as a string, the same for equal contents alone. */
export const contentText = (data: HostArray): string => Array.from<number | bigint, string>(data, exactText).join();

/** A number for each object, the same for the same one. */
const identity = (x: object, ids: Map<object, number>): string => {
  const id = ids.get(x) ?? ids.size;
  ids.set(x, id);
  return `#${id}`;
};

/** A constant's content as a string; large arrays (never made twice) stand for themselves. */
const contentKey = (data: HostArray, ids: Map<object, number>): string =>
  data.length <= 1024 ? contentText(data) : identity(data, ids);

/** Two nodes with one key compute the same: operation, attributes and inputs agree. */
const keyOf = (node: Node, ids: Map<object, number>): string => {
  const attributes = Object.entries(node.attributes).map(([name, value]) => {
    if (isHostArray(value)) return `${name}=${contentKey(value, ids)}`;
    return `${name}=${typeof value === "number" ? exactText(value) : JSON.stringify(value)}`;
  });
  const inputs = node.inputs.map((x) => `${x.node.id}:${x.index}`);
  return `${identity(node.op, ids)}(${inputs})${attributes.sort()}`;
};

const foldable = (node: Node): boolean =>
  node.inputs.length > 0 &&
  node.inputs.every(isConstant) &&
  node.outputs.every((y) => y.dtype !== "float16" && sizeOf(y.shape) <= FOLD_LIMIT) &&
  // A broadcast of one number is cheaper to repeat at run time than to store.
  !(node.op.repeats && sizeOf(node.output.shape) > 1024);

const fold = (node: Node): Tensor[] => {
  const inputs = node.inputs.map((x) => ({ shape: x.shape, data: Float64Array.from(constantData(x), Number) }));
  const types = node.outputs.map((y) => y.type);
  return zip(types, node.op.reference(inputs, node.attributes, types)).map(([type, { data }]) =>
    constantOf(hostArrayOf(data, type.dtype), type),
  );
};

/**
 * An equivalent graph: dead code is left behind, equal subexpressions become one node, operations on constants are
 * computed, and every operation may replace itself by something cheaper (`op.simplify`).
 */
export const simplify = (outputs: readonly Tensor[]): Tensor[] => {
  const replaced = new Map<Tensor, Tensor>();
  const known = new Map<string, readonly Tensor[]>();
  const ids = new Map<object, number>();

  /** Brings nodes that a rewrite made (they rest on inputs already simplified) into the set of known ones. */
  const intern = (node: Node, inputs: readonly Tensor[]): readonly Tensor[] => {
    const types = node.outputs.map((y) => y.type);
    const same = inputs.every((x, i) => x === node.inputs[i]);
    const next = same ? node : new Node(node.op, inputs, node.attributes, types);
    const key = keyOf(next, ids);
    const found = known.get(key);
    if (found) return found;
    const cheaper = node.op.simplify?.(inputs, node.attributes, types);
    const result = cheaper ? [settle(cheaper)] : foldable(next) ? fold(next).map(settle) : next.outputs;
    known.set(key, result);
    if (!cheaper) for (const y of result) replaced.set(y, y);
    return result;
  };

  const settle = (x: Tensor): Tensor => {
    const done = replaced.get(x);
    if (done) return done;
    const inputs = x.node.inputs.map(settle);
    const result = intern(x.node, inputs);
    for (const y of x.node.outputs) replaced.set(y, nth(result, y.index));
    return nth(result, x.index);
  };

  for (const node of ancestors(outputs)) for (const y of node.outputs) settle(y);
  return outputs.map(settle);
};

/** Bytes that the constants of a graph take in the program. */
export const constantBytes = (outputs: readonly Tensor[]): number =>
  ancestors(outputs).reduce((sum, { output: y }) => sum + (isConstant(y) ? sizeOf(y.shape) * bytesOf(y.dtype) : 0), 0);

/** Inputs that a program of these outputs reads, by name. Two inputs of one name must be one tensor type. */
export const inputsOf = (outputs: readonly Tensor[]): Record<string, TensorType> => {
  const found: Record<string, TensorType> = {};
  for (const { output: y } of ancestors(outputs)) {
    const name = inputName(y);
    if (name === undefined) continue;
    const before = found[name];
    if (before && !(before.dtype === y.dtype && sameShape(before.shape, y.shape)))
      throw new Error(`input ${name} is both ${showType(before)} and ${showType(y.type)}`);
    found[name] = y.type;
  }
  return found;
};
