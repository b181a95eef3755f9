import type { Shape, TensorType } from "../graph/dtype.js";
import { last } from "../graph/lists.js";
import { inScope, type Tensor } from "../graph/tensor.js";
import { input } from "../ops/index.js";
import type { Initializer } from "./initializers.js";

/** A trainable tensor: a program input whose value lives outside the program. */
export type Parameter = { readonly name: string; readonly tensor: Tensor; readonly initialize: Initializer };

/** Prefix of the names under which parameters enter a program. */
const INPUT_PREFIX = "parameter.";

/** The program input that carries the parameter of this name. */
export const parameterInput = (name: string): string => INPUT_PREFIX + name;

/**
 * Where a layer's parameters live. Names along the path are the keys of the official checkpoints:
 * `scope.at("blocks.0").at("attn")`. The same name always gives the same tensor, so a network that is evaluated twice
 * in one program shares its weights.
 */
export class Scope {
  constructor(
    private readonly known: Map<string, Parameter> = new Map(),
    readonly path: string = "",
    /** The program input that carries a parameter; another choice is another set of weights for the same network. */
    private readonly inputOf: (name: string) => string = parameterInput,
  ) {}

  /** The scope of a part. */
  at(name: string): Scope {
    return new Scope(this.known, this.path === "" ? name : `${this.path}.${name}`, this.inputOf);
  }

  /** A float32 parameter; `initialize` gives its first value. Asking again with another shape is an error. */
  parameter(name: string, shape: Shape, initialize: Initializer): Tensor {
    const full = this.path === "" ? name : `${this.path}.${name}`;
    const before = this.known.get(full);
    if (before && `${before.tensor.shape}` !== `${shape}`)
      throw new Error(`parameter ${full} is used as [${before.tensor.shape.join(" ")}] and as [${shape.join(" ")}]`);
    if (before) return before.tensor;
    const type: TensorType = { dtype: "float32", shape };
    const tensor = input(this.inputOf(full), type);
    this.known.set(full, { name: full, tensor, initialize });
    return tensor;
  }

  /** Builds a part with its name recorded on the nodes. */
  build<T>(build: (scope: this) => T): T {
    return this.path === "" ? build(this) : inScope(last(this.path.split(".")), () => build(this));
  }

  /** All parameters so far, in order of first use. */
  get parameters(): readonly Parameter[] {
    return [...this.known.values()];
  }
}
