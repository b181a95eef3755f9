import type { Tensor } from "../graph/tensor.js";

/** What an objective computes: the scalar that training follows, and named scalars to show. */
export type Loss = { readonly loss: Tensor; readonly report: Readonly<Record<string, Tensor>> };

/**
 * The loss of a batch whose samples take different losses, each a mean over `count` samples: Σ (count / B) L.
 * Reports are named by their loss: `velocity_mse`.
 */
export const mixture = (parts: Readonly<Record<string, Loss & { readonly count: number }>>): Loss => {
  const batch = Object.values(parts).reduce((sum, { count }) => sum + count, 0);
  const weighted = Object.values(parts).map(({ loss, count }) => loss.mul(count / batch));
  const named = Object.entries(parts).flatMap(([name, { report }]) =>
    Object.entries(report).map(([key, x]) => [`${name}_${key}`, x] as const),
  );
  return { loss: weighted.reduce((a, b) => a.add(b)), report: Object.fromEntries(named) };
};
