import type { Tensor } from "../graph/tensor.js";

/** What an objective computes: the scalar that training follows, and named scalars to show. */
export type Loss = { readonly loss: Tensor; readonly report: Readonly<Record<string, Tensor>> };
