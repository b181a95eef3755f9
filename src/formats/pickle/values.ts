/** A value that a pickle describes. Whole numbers beyond 2⁵³ are bigints; sets are lists of their members. */
export type Value = null | boolean | number | bigint | string | Uint8Array | List | Tuple | Dict | Foreign;

export class List {
  constructor(readonly items: Value[]) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** Entries in order. A Map, so that keys such as __proto__ are keys and nothing else. */
export class Dict {
  readonly entries = new Map<Value, Value>();
  /** `takesState`: whether a state that is set on it adds entries (a namespace) or is passed over (attributes). */
  constructor(readonly takesState = false) {}
}

/** What is no plain value: the base of what a vocabulary makes. */
export class Foreign {}

/** Something that a pickle may call: a function of this program's own, never one that a pickle names. */
export class Callable extends Foreign {
  constructor(
    readonly name: string,
    /** The value for these arguments, or undefined where they do not fit. `spend` counts items that are copied. */
    readonly call: (args: readonly Value[], spend: (items: number) => void) => Value | undefined,
  ) {
    super();
  }
}

/** The globals and persistent objects that a pickle may refer to. */
export type Vocabulary = {
  /** What `module.name` stands for; undefined where it is not allowed. */
  readonly global: (module: string, name: string) => Value | undefined;
  /** The object behind a persistent id. Throws a `UserError` where the id is malformed. */
  readonly persistent: (id: Value) => Value;
  /** What is allowed, for the error that refuses anything else. */
  readonly allowed: string;
};
