/** The published curriculum of consistency training: s₀ levels at step 0, s₁ + 1 at step `steps`, teacher's decay μ₀. */
export type Curriculum = { readonly s0: number; readonly s1: number; readonly mu0: number; readonly steps: number };

/**
 * At step k of K: N = M + 1 levels and the teacher's decay μ = exp(s₀ ln μ₀ / M), with
 * M = max(1, ⌈√(k/K ((s₁ + 1)² − s₀²) + s₀²) − 1⌉). Song et al. 2023, arXiv:2303.01469.
 */
export const curriculum = (
  { s0, s1, mu0, steps }: Curriculum,
  k: number,
): { readonly levels: number; readonly decay: number } => {
  const intervals = Math.max(1, Math.ceil(Math.sqrt((k / steps) * ((s1 + 1) ** 2 - s0 ** 2) + s0 ** 2) - 1));
  return { levels: intervals + 1, decay: Math.exp((s0 * Math.log(mu0)) / intervals) };
};

/** The improved curriculum: s₀ + 1 levels that double in stages of equal length to s₁ + 1. */
export type ImprovedCurriculum = { readonly s0: number; readonly s1: number; readonly steps: number };

/** log₂⌊s₁ / s₀⌋ + 1, the number of stages. */
const stages = ({ s0, s1 }: ImprovedCurriculum): number => Math.log2(Math.floor(s1 / s0)) + 1;

/** Levels at step k of K: min(s₀ 2^⌊k/K′⌋, s₁) + 1 with K′ = ⌊K / (log₂⌊s₁/s₀⌋ + 1)⌋. arXiv:2310.14189. */
export const improvedCurriculum = (options: ImprovedCurriculum, k: number): number => {
  const stage = Math.floor(options.steps / stages(options));
  return Math.min(options.s0 * 2 ** Math.floor(k / stage), options.s1) + 1;
};

/** What is wrong with an improved curriculum, in words; undefined when nothing is. */
export const curriculumProblem = (options: ImprovedCurriculum): string | undefined => {
  const { s0, s1, steps } = options;
  if (steps >= stages(options)) return undefined;
  return `levels double from ${s0} to ${s1} in ${Math.ceil(stages(options))} stages; a run of ${steps} steps is too short for it`;
};

/** erf, by its Taylor series near 0 and a continued fraction of erfc beyond; relative error below 1e-12. */
export const erf = (x: number): number => {
  const z = Math.abs(x);
  const value = z < 2.5 ? series(z) : 1 - tail(z);
  return x < 0 ? -value : value;
};

/** erf z = 2/√π Σ (−1)ⁿ z^{2n+1} / (n! (2n + 1)). */
const series = (z: number): number => {
  let [term, sum] = [z, z];
  for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

/** erfc z = e^{−z²} / √π · 1/(z + ½/(z + 1/(z + 3⁄2/(z + …)))). */
const tail = (z: number): number => {
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
};

/**
 * Probability of each pair of neighbours on a falling grid of levels: what a log-normal σ puts between them.
 * p_n ∝ erf((ln σ_n − m) / (√2 d)) − erf((ln σ_{n+1} − m) / (√2 d)). arXiv:2310.14189.
 */
export const levelProbabilities = (
  grid: readonly number[],
  { mean, deviation }: { readonly mean: number; readonly deviation: number },
): number[] => {
  const below = grid.map((sigma) => erf((Math.log(sigma) - mean) / (Math.SQRT2 * deviation)));
  const mass = below.slice(0, -1).map((value, n) => value - below[n + 1]!);
  const total = mass.reduce((sum, each) => sum + each, 0);
  return mass.map((each) => each / total);
};

/** The place n whose share of [0, 1) holds u. */
export const drawLevel = (probabilities: readonly number[], u: number): number => {
  let sum = 0;
  const n = probabilities.findIndex((each) => {
    sum += each;
    return u < sum;
  });
  return n < 0 ? probabilities.length - 1 : n;
};
