// Compares the Fréchet distance of 2048-dimensional features with scipy's, and says how long it took.
// Usage: npx tsc -b && node scripts/check/metrics.mjs    (features and expected value: scripts/fixtures/metrics.py)
import { readFileSync } from "node:fs";
import { frechetDistance, Moments } from "../../dist/eval/index.js";

const expected = JSON.parse(readFileSync(new URL("../../tests/data/metrics/expected.json", import.meta.url), "utf8"));
const D = 2048;

/** x[i, j] in [-0.5, 0.5), as scripts/fixtures/metrics.py has it. */
const moments = (n, s, scale, shift) => {
  const all = new Moments(D);
  const row = new Float64Array(D);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < D; j++)
      row[j] =
        scale * (((i * i * 31 + j * j * 17 + i * j * (7 + s) + (i + j) ** 3 + s * 13) % 1009) / 1009 - 0.5) + shift;
    all.add(row);
  }
  return { dimensions: D, mean: all.mean, covariance: all.covariance };
};

const [p, q] = [moments(2500, 1, 1, 0), moments(2400, 2, 0.9, 0.05)];
const start = performance.now();
const found = frechetDistance(p, q);
const seconds = (performance.now() - start) / 1000;
const error = Math.abs(found / expected.frechet2048 - 1);
console.log(
  `Fréchet distance at ${D} dimensions: ${found}, relative error ${error.toExponential(1)}, ${seconds.toFixed(1)} s`,
);
process.exitCode = error < 1e-6 ? 0 : 1;
