import { jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { cos, onesLike, sin } from "../ops/index.js";

/**
 * Coefficients of the solution function f(x_t, t, s) = a(t, s) x_t + b(t, s) F(x_t, t, s), with a(t, t) = 1 and
 * b(t, t) = 0, so that f(x_t, t, t) = x_t whatever the network says. SoFlow, arXiv:2512.15657.
 */
export type Coefficients = {
  readonly a: (t: Tensor, s: Tensor) => Tensor;
  readonly b: (t: Tensor, s: Tensor) => Tensor;
};

const HALF_PI = Math.PI / 2;

/** The parameterisations by name. euler: a = 1, b = s − t. trig: a = cos(π/2 (s − t)), b = sin(π/2 (s − t)). */
export const PARAMETERISATIONS = {
  euler: { a: (t) => onesLike(t), b: (t, s) => s.sub(t) },
  trig: { a: (t, s) => cos(s.sub(t).mul(HALF_PI)), b: (t, s) => sin(s.sub(t).mul(HALF_PI)) },
} satisfies Record<string, Coefficients>;
export type ParameterisationName = keyof typeof PARAMETERISATIONS;

/** ∂_s of a coefficient at s, t held. */
export const partialS = (f: (t: Tensor, s: Tensor) => Tensor, t: Tensor, s: Tensor): Tensor =>
  jvp((at) => f(t, at), [s], [onesLike(s)])[1];

/** ∂_t of a coefficient at t, s held. */
export const partialT = (f: (t: Tensor, s: Tensor) => Tensor, t: Tensor, s: Tensor): Tensor =>
  jvp((at) => f(at, s), [t], [onesLike(t)])[1];

/** f(x_t, t, s) from a network output F_t = F(x_t, t, s). */
export const solution = ({ a, b }: Coefficients, x_t: Tensor, t: Tensor, s: Tensor, F_t: Tensor): Tensor =>
  a(t, s).mul(x_t).add(b(t, s).mul(F_t));

/** The velocity read-out v̂ = ∂_s f(x_t, t, s) at s = t, from F_t = F(x_t, t, t). */
export const velocity = ({ a, b }: Coefficients, x_t: Tensor, t: Tensor, F_t: Tensor): Tensor =>
  partialS(a, t, t)
    .mul(x_t)
    .add(partialS(b, t, t).mul(F_t));
