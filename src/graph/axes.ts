import type { Shape } from "./dtype.js";

/** The sizes of named axes: `Sizes<"B L D">` is `[number, number, number]`. */
export type Sizes<A extends string> = string extends A
  ? number[]
  : A extends `${string} ${infer Rest}`
    ? [number, ...Sizes<Rest>]
    : [number];

/**
 * Sizes by named axes, or undefined where the names do not fit. A name that is a number must be
 * that axis' size.
 */
export const sizesOf = <A extends string>(shape: Shape, axes: A): Sizes<A> | undefined => {
  const names = axes.split(" ");
  const fits = names.length === shape.length && names.every((name, i) => !/^\d+$/.test(name) || +name === shape[i]);
  return fits ? ([...shape] as Sizes<A>) : undefined;
};
