import type { Tensor } from "../graph/tensor.js";

/**
 * What a network is conditioned on beside x and its times, by name; axis 0 of each is the batch. `label` int64 [B];
 * `row` int64 [B], the sample of the batch that a row is of: dropout is the same in all evaluations of a sample.
 */
export type Conditions = Readonly<Record<string, Tensor>>;

/** The network F(x, t, s, c) that a solution function is built on.   x [B …]; t and s [B 1 …] */
export type Network = (x: Tensor, t: Tensor, s: Tensor, c: Conditions) => Tensor;

/** A network of one time: a velocity v̂(x_t, t, c), a noise ε̂(x_i, i, c), a denoiser D(x, σ, c). */
export type OneTimeNetwork = (x: Tensor, t: Tensor, c: Conditions) => Tensor;

/** A network of two times where only one matters: F(x, t, t, c). */
export const oneTime =
  (network: Network): OneTimeNetwork =>
  (x, t, c) =>
    network(x, t, t, c);
