/**
 * The element at a position. Throws where there is none, as a wrong index is a mistake in the code
 * that asks.
 */
export const nth = <T extends NonNullable<unknown> | null>(list: ArrayLike<T>, i: number): T => {
  const value = list[i];
  if (value === undefined) throw new RangeError(`there is no element ${i} of ${list.length}`);
  return value;
};

/** The last element. Throws where there is none. */
export const last = <T extends NonNullable<unknown> | null>(list: ArrayLike<T>): T => nth(list, list.length - 1);

/** Elements of two lists side by side. Throws when the lists differ in length. */
export const zip = <A, B extends NonNullable<unknown> | null>(
  a: readonly A[],
  b: ArrayLike<B>,
): (readonly [A, B])[] => {
  if (a.length !== b.length) throw new RangeError(`lists of ${a.length} and ${b.length} do not go together`);
  return a.map((x, i) => [x, nth(b, i)] as const);
};

/** Every element with the one after it: one pair fewer than there are elements. */
export const pairs = <T extends NonNullable<unknown> | null>(list: readonly T[]): (readonly [T, T])[] =>
  zip(list.slice(0, -1), list.slice(1));

/** What a map holds under a key that is known to be in it. Throws where it is not. */
export const lookup = <K, V extends NonNullable<unknown> | null>(map: { get(key: K): V | undefined }, key: K): V => {
  const value = map.get(key);
  if (value === undefined) throw new RangeError(`there is no entry for ${key}`);
  return value;
};

/** A record of the same names with other values, in the same order. */
export const renew = <V extends NonNullable<unknown> | null>(
  record: Readonly<Record<string, unknown>>,
  values: readonly V[],
): Record<string, V> => Object.fromEntries(zip(Object.keys(record), values));

/** The values of a record under names that are known to be in it. Throws where one is not. */
export const pick = <N extends string, V extends NonNullable<unknown>>(
  record: Readonly<Record<string, V>>,
  names: readonly N[],
): { readonly [K in N]: V } => {
  const all = new Map(Object.entries(record));
  return Object.fromEntries(names.map((name) => [name, lookup(all, name)])) as { readonly [K in N]: V };
};
