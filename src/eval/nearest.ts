import { comparable, countOf, type Features } from "./pairs.js";

export type Near = { readonly index: number; readonly squared: number };

/** Squared distance of row i of a and row j of b, in float64: differences first, since products cancel. */
const squaredDistance = (a: Features, i: number, b: Features, j: number): number => {
  const D = a.dimensions;
  let sum = 0;
  for (let k = 0; k < D; k++) sum += (a.data[i * D + k]! - b.data[j * D + k]!) ** 2;
  return sum;
};

/** For every row of a, the row of b that is nearest and its squared distance; the first of equals. */
export const nearest = (a: Features, b: Features): readonly Near[] => {
  comparable(a, b);
  const [n, m] = [countOf(a), countOf(b)];
  return Array.from({ length: n }, (_, i) => {
    let best: Near = { index: 0, squared: Number.POSITIVE_INFINITY };
    for (let j = 0; j < m; j++) {
      const squared = squaredDistance(a, i, b, j);
      if (squared < best.squared) best = { index: j, squared };
    }
    return best;
  });
};
