import { jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { cos, onesLike, sin, sub } from "../ops/index.js";

/** A noising path x_t = α(t) x_0 + β(t) ε, from data at t = 0 to noise at t = 1. */
export type Path = { readonly alpha: (t: Tensor) => Tensor; readonly beta: (t: Tensor) => Tensor };

const HALF_PI = Math.PI / 2;

/** The paths by name. linear: α = 1 − t, β = t. trig: α = cos(πt/2), β = sin(πt/2). */
export const PATHS = {
  linear: { alpha: (t) => sub(1, t), beta: (t) => t },
  trig: { alpha: (t) => cos(t.mul(HALF_PI)), beta: (t) => sin(t.mul(HALF_PI)) },
} satisfies Record<string, Path>;
export type PathName = keyof typeof PATHS;

/** d/dt of a function of time, exactly. */
export const derivative = (f: (t: Tensor) => Tensor, t: Tensor): Tensor => jvp(f, [t], [onesLike(t)])[1];

/** The point x_t and the velocity v_t = α′(t) x_0 + β′(t) ε of the sample's own path.   x_0, eps [B C H W], t [B 1 1 1] */
export const along = ({ alpha, beta }: Path, t: Tensor, { x_0, eps }: { x_0: Tensor; eps: Tensor }) => ({
  x_t: alpha(t).mul(x_0).add(beta(t).mul(eps)),
  v_t: derivative(alpha, t).mul(x_0).add(derivative(beta, t).mul(eps)),
});
