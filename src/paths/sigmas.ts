/** σ_min, σ_max, σ_d and ρ of the noise levels; here x_σ = x_0 + σ ε. Karras et al. 2022; Song et al. 2023. */
export const LEVELS = { smallest: 0.002, largest: 80, data: 0.5, rho: 7 } as const;

/** The level a share u of the way down: σ(u) = (80^{1/ρ} + u (0.002^{1/ρ} − 80^{1/ρ}))^ρ, u in [0, 1]. */
export const sigmaAt = (u: number): number => {
  const { smallest, largest, rho } = LEVELS;
  const [top, bottom] = [largest ** (1 / rho), smallest ** (1 / rho)];
  return (top + u * (bottom - top)) ** rho;
};

/** The descending Karras grid of N levels: σ_i = σ(i/(N−1)), i = 0 … N − 1. One level is the largest. */
export const sigmaGrid = (levels: number): number[] =>
  Array.from({ length: levels }, (_, i) => sigmaAt(levels === 1 ? 0 : i / (levels - 1)));
