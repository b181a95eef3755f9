import { type DType, type Shape, showType, type TensorType } from "./dtype.js";
import type { Attributes, Op } from "./op.js";

let created = 0;
let scopePath = "";

/** How many nodes there are: each node made from now on has at least this id. */
export const nodeCount = (): number => created;

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
    if (size === undefined) throw new Error(`axis ${axis} of ${this} does not exist`);
    return size;
  }

  /** The same tensor with its axes named: `x.as("B L D")`. A name that is a number must be that axis' size. */
  as<A extends string>(axes: A): Tensor<A> {
    const names = axes.split(" ");
    const fits = names.length === this.rank && names.every((name, i) => !/^\d+$/.test(name) || +name === this.shape[i]);
    if (!fits) throw new Error(`${this} is not "${axes}"${this.node.scope && ` (in ${this.node.scope})`}`);
    return this as unknown as Tensor<A>;
  }

  toString(): string {
    return `${this.node.op.name} ${showType(this.type)}`;
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
