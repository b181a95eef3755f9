import { UserError } from "../errors.js";
import { addTo, get } from "./floats.js";

/** p log(p / q), 0 where p is. */
const divergence = (p: number, q: number): number => (p > 0 ? p * Math.log(p / q) : 0);

/** exp(mean KL(p(y|x) ‖ p(y))) of rows `start` … `end − 1`. */
const scoreOf = (probabilities: ArrayLike<number>, classes: number, start: number, end: number): number => {
  const marginal = new Float64Array(classes);
  for (let i = start; i < end; i++)
    for (let c = 0; c < classes; c++) addTo(marginal, c, probabilities[i * classes + c]! / (end - start));
  let sum = 0;
  for (let i = start; i < end; i++)
    for (let c = 0; c < classes; c++) sum += divergence(probabilities[i * classes + c]!, get(marginal, c));
  return Math.exp(sum / (end - start));
};

/**
 * Inception Score of class probabilities [n classes]: mean and deviation over splits of `split` images in their order
 * (the last may be smaller), as the ADM evaluator has it. Salimans et al. 2016, arXiv:1606.03498. 1 … classes.
 */
export const inceptionScore = (
  probabilities: ArrayLike<number>,
  classes: number,
  split = 5000,
): { readonly mean: number; readonly deviation: number } => {
  const n = probabilities.length / classes;
  if (n === 0 || !Number.isInteger(n))
    throw new UserError(`probabilities: ${probabilities.length} numbers are no whole rows of ${classes}`);
  const starts = Array.from({ length: Math.ceil(n / split) }, (_, i) => i * split);
  const scores = starts.map((start) => scoreOf(probabilities, classes, start, Math.min(n, start + split)));
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const square = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(square / scores.length) };
};
