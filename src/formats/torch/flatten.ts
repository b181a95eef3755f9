import { UserError } from "../../errors.js";
import { Dict, List, Tuple, type Value } from "../pickle/values.js";
import { shown } from "../randomAccess.js";
import { Tensor } from "./vocabulary.js";

/** A value that is no tensor and has no parts. */
export type Scalar = null | boolean | number | bigint | string;

/** What a checkpoint holds, by dotted name such as `optimizer.state.0.exp_avg`, in the order of the file. */
export type Flat = { readonly tensors: Map<string, Tensor>; readonly scalars: Map<string, Scalar> };

const DEEPEST = 16;
const LONGEST_NAME = 400;
const MOST_LEAVES = 100_000;
/** Lists and dictionaries that are looked into, counted each time: one that holds itself twice has exponentially many. */
const MOST_VISITS = 200_000;

const partsOf = (value: Value): Iterable<readonly [Value, Value]> | undefined => {
  if (value instanceof Dict) return value.entries;
  if (value instanceof List || value instanceof Tuple) return value.items.entries();
  return undefined;
};

/** Walks a value down to its leaves. Bytes and other foreign objects are passed over. */
export const flatten = (root: Value, file: string): Flat => {
  const flat: Flat = { tensors: new Map(), scalars: new Map() };
  let visits = 0;
  const visit = (value: Value, name: string, depth: number): void => {
    if (++visits > MOST_VISITS) throw new UserError(`${file}: it has more than ${MOST_VISITS} parts`);
    const parts = partsOf(value);
    if (!parts) {
      addLeaf(flat, name, value, file);
      return;
    }
    if (depth === DEEPEST) throw new UserError(`${file}: it is nested more than ${DEEPEST} deep, at ${shown(name)}`);
    for (const [key, part] of parts) visit(part, nameOf(name, key, file), depth + 1);
  };
  visit(root, "", 0);
  return flat;
};

const nameOf = (parent: string, key: Value, file: string): string => {
  const word = typeof key === "string" || typeof key === "number" ? String(key) : "(key)";
  const name = parent === "" ? word : `${parent}.${word}`;
  if (name.length > LONGEST_NAME)
    throw new UserError(`${file}: a name has more than ${LONGEST_NAME} characters: ${shown(name)}`);
  return name;
};

const addLeaf = ({ tensors, scalars }: Flat, name: string, value: Value, file: string): void => {
  if (tensors.size + scalars.size >= MOST_LEAVES)
    throw new UserError(`${file}: it has more than ${MOST_LEAVES} values`);
  if (value instanceof Tensor) {
    if (tensors.has(name)) throw new UserError(`${file}: two tensors are called ${shown(name)}`);
    tensors.set(name, value);
  } else if (value === null || typeof value !== "object") scalars.set(name, value);
};
