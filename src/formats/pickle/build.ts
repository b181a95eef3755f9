import { shown } from "../randomAccess.js";
import { LIMITS, type Machine } from "./machine.js";
import { Callable, Dict, List, Tuple, type Value } from "./values.js";

/** What a value is called in errors. */
export const kindOf = (value: Value | undefined): string => {
  if (value === null) return "None";
  if (value instanceof Callable) return value.name;
  if (typeof value === "object") return value.constructor.name;
  return typeof value;
};

/** Two's complement, little end first. */
export const integer = (m: Machine, length: number): number | bigint => {
  if (length < 0 || length > LIMITS.integer)
    m.fail(`it has an integer of ${length} bytes; at most ${LIMITS.integer} are read`);
  const bytes = m.take(length);
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).reverse();
  const value = BigInt.asIntN(8 * length, BigInt(`0x0${digits.join("")}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
};

/** The value behind `module.name`, for an instruction that wants to call or to use it. */
export const global = (m: Machine, module: string, name: string): Value =>
  m.vocabulary.global(module, name) ??
  m.fail(`the file wants to call ${shown(`${module}.${name}`)}; only ${m.vocabulary.allowed} are read`);

export const stackGlobal = (m: Machine): void => {
  const [name, module] = [m.pop(), m.pop()];
  if (typeof module !== "string" || typeof name !== "string") m.fail("it names a global by something other than text");
  m.push(global(m, module, name));
};

/** function(…arguments), for functions of the vocabulary alone. */
export const call = (m: Machine, callee: Value, args: Value): void => {
  if (!(callee instanceof Callable)) m.fail(`the file wants to call ${kindOf(callee)}, which is no function`);
  const result = args instanceof Tuple ? callee.call(args.items, (items) => m.spend(items)) : undefined;
  if (result === undefined) m.fail(`the arguments of ${callee.name} are malformed`);
  m.create(result);
};

export const reduce = (m: Machine): void => {
  const args = m.pop();
  call(m, m.pop(), args);
};

export const newObjectEx = (m: Machine): void => {
  const named = m.pop();
  if (!(named instanceof Dict) || named.entries.size > 0) m.fail("it calls with named arguments, which are not read");
  reduce(m);
};

/** Sets the state of an object: entries of a namespace; attributes of a dictionary, such as _metadata, are passed over. */
export const build = (m: Machine): void => {
  const state = m.pop();
  const target = m.top();
  if (!(target instanceof Dict) || !(state instanceof Dict))
    m.fail(`the file wants to set the state of ${kindOf(target)}, which is not read`);
  if (!target.takesState || target === state) return;
  m.spend(state.entries.size);
  for (const [key, value] of state.entries) target.entries.set(key, value);
};

export const extend = (m: Machine, items: readonly Value[]): void => {
  const list = m.top();
  if (!(list instanceof List)) m.fail(`it appends to ${kindOf(list)}, which is no list`);
  for (const item of items) list.items.push(item);
};

/** `pairs`: key, value, key, value … */
export const setItems = (m: Machine, pairs: readonly Value[]): void => {
  const dict = m.top();
  if (!(dict instanceof Dict)) m.fail(`it sets items of ${kindOf(dict)}, which is no dictionary`);
  fill(m, dict, pairs);
};

export const fill = (m: Machine, dict: Dict, pairs: readonly Value[]): Dict => {
  if (pairs.length % 2 !== 0) m.fail("a key of a dictionary has no value");
  m.spend(pairs.length / 2);
  for (let i = 0; i < pairs.length; i += 2) {
    const key = pairs[i]!;
    if (key instanceof List || key instanceof Dict) m.fail(`${kindOf(key)} cannot be a key of a dictionary`);
    dict.entries.set(key, pairs[i + 1]!);
  }
  return dict;
};
