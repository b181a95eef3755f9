import type { Tensor } from "../graph/tensor.js";

/** What an objective computes: the scalar that training follows, and named scalars to show. */
export type Loss = { readonly loss: Tensor; readonly report: Readonly<Record<string, Tensor>> };

/** The loss of n and m samples together, from that of each: means, so weighted by their numbers. */
export const pooled = (a: Loss, n: number, b: Loss, m: number): Loss => {
  const both = (x: Tensor, y: Tensor): Tensor => x.mul(n / (n + m)).add(y.mul(m / (n + m)));
  const report = Object.entries(a.report).flatMap(([name, x]) => {
    const y = b.report[name];
    return y ? [[name, both(x, y)] as const] : [];
  });
  return { loss: both(a.loss, b.loss), report: Object.fromEntries(report) };
};

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
