import { type Sizes, sizesOf } from "./axes.js";
import { type DType, type Shape, showType, type TensorType } from "./dtype.js";
import { nth } from "./lists.js";
import type { Attributes, Op } from "./op.js";

let created = 0;
let scopePath = "";

/** How many nodes there are: each node made from now on has at least this id. */
export const nodeCount = (): number => created;

/**
 * The scope that is being built, for the end of an error: ` (in blocks.3.attn)`; nothing outside of
 * all scopes.
 */
export const scopeNote = (): string => scopePath && ` (in ${scopePath})`;

/** One application of an operation. `id` grows with creation, so sorting by it is a topological order. */
export class Node {
  readonly id = created++;
  readonly scope = scopePath;
  readonly outputs: readonly Tensor[];

  constructor(
    readonly op: Op,
    readonly inputs: readonly Tensor[],
    readonly attributes: Attributes,
    types: readonly TensorType[],
  ) {
    this.outputs = types.map((type, index) => new Tensor(this, index, type));
  }

  /** Its result, or the first of several. */
  get output(): Tensor {
    return nth(this.outputs, 0);
  }

  /**
   * What made its results, for errors: `gelu`, `input x`; with the scope, where that is not the one
   * being built.
   */
  get origin(): string {
    const what = this.op.label?.(this.attributes) ?? this.op.name;
    return this.scope === "" || this.scope === scopePath ? what : `${what} in ${this.scope}`;
  }
}

/**
 * A symbolic tensor: an output of a node, with its type known and its values not. `Axes` names the axes for the reader
 * (`Tensor<"B L D">`); `as` checks the names against the rank when the program is built. The fluent methods
 * (`x.add(y)`) are attached by `ops/fluent.ts`.
 */
export class Tensor<Axes extends string = string> {
  declare readonly axes?: Axes;

  constructor(
    readonly node: Node,
    readonly index: number,
    readonly type: TensorType,
  ) {}

  get shape(): Shape {
    return this.type.shape;
  }

  get dtype(): DType {
    return this.type.dtype;
  }

  get rank(): number {
    return this.type.shape.length;
  }

  /** Size of an axis; negative counts from the end. */
  dim(axis: number): number {
    const size = this.shape.at(axis);
    if (size === undefined) throw new Error(`axis ${axis} of ${this} does not exist${this.where()}`);
    return size;
  }

  /** Sizes of all axes, by names as in `as`: `const [B, L, D] = x.dims("B L D")`. */
  dims<A extends string>(axes: A): Sizes<A> {
    const sizes = sizesOf(this.shape, axes);
    if (!sizes) throw new Error(`${this} is not "${axes}"${this.where()}`);
    return sizes;
  }

  private has<A extends string>(axes: A): this is Tensor<A> {
    return sizesOf(this.shape, axes) !== undefined;
  }

  /** The same tensor with its axes named: `x.as("B L D")`. A name that is a number must be that axis' size. */
  as<A extends string>(axes: A): Tensor<A> {
    if (!this.has(axes)) throw new Error(`${this} is not "${axes}"${this.where()}`);
    return this;
  }

  toString(): string {
    return `${this.node.op.label?.(this.node.attributes) ?? this.node.op.name} ${showType(this.type)}`;
  }

  /** Where it was made and where it is being read, for the end of an error. */
  private where(): string {
    const made = this.node.scope;
    if (made === "" || made === scopePath) return scopeNote();
    return scopePath === "" ? ` (in ${made})` : ` (made in ${made}, read in ${scopePath})`;
  }
}

/** Runs `build` with `name` appended to the scope that new nodes record (for printing and errors). */
export const inScope = <T>(name: string, build: () => T): T => {
  const outer = scopePath;
  scopePath = outer === "" ? name : `${outer}.${name}`;
  try {
    return build();
  } finally {
    scopePath = outer;
  }
};
