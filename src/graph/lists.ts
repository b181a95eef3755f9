/** The element at a position. Throws where there is none, as a wrong index is a mistake in the code that asks. */
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
