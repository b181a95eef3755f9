import type { Tensor } from "../graph/tensor.js";

/** What an update may read besides gradients: scalars [] that the host works out for each step. */
export type Scalars = Readonly<Record<string, Tensor>>;

/** State of one parameter: named tensors of the parameter's shape. */
export type Slots = Readonly<Record<string, Tensor>>;

/**
 * A gradient transformation, for one parameter at a time, as in optax: `update` maps the running update (at first the
 * gradient) and the state to the next ones. Pure and symbolic: it becomes part of the update program.
 */
export type Transform = {
  /** Names of the state tensors, which start at zero. */
  readonly slots: readonly string[];
  /** Names of the scalars that `update` reads, and their value at step k (the first step is k = 1). */
  readonly scalars: Readonly<Record<string, (k: number) => number>>;
  readonly update: (
    u: Tensor,
    state: { slots: Slots; parameter: Tensor; scalars: Scalars },
  ) => { u: Tensor; slots: Slots };
};

/** One transformation after another. Throws when two parts give a slot or a scalar the same name. */
export const chain = (...parts: readonly Transform[]): Transform => {
  const names = parts.flatMap((part) => [...part.slots, ...Object.keys(part.scalars)]);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new Error(`chain: ${repeated} is the name of two slots or scalars`);
  return {
    slots: parts.flatMap((part) => part.slots),
    scalars: Object.assign({}, ...parts.map((part) => part.scalars)),
    update: (first, state) =>
      parts.reduce<{ u: Tensor; slots: Slots }>(
        ({ u, slots }, part) => {
          const next = part.update(u, state);
          return { u: next.u, slots: { ...slots, ...next.slots } };
        },
        { u: first, slots: {} },
      ),
  };
};
