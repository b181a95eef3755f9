/** A logit-normal distribution of times: t = σ(z), z ~ N(mean, deviation²); always inside (0, 1). */
export type LogitNormal = { readonly mean: number; readonly deviation: number };

/** The time that a standard normal draw z stands for. */
export const logitNormal = ({ mean, deviation }: LogitNormal, z: number): number =>
  1 / (1 + Math.exp(-(mean + deviation * z)));

/** How r(k, K), the share of the way from t to s at which the middle time l lies, moves through training. */
export type MiddleTime = {
  readonly schedule: "const" | "linear" | "cosine" | "exponent";
  /** r at the first step, in (0, 1]. */
  readonly initial: number;
  /** r at the last step, in (0, 1]. */
  readonly final: number;
};

const progress = {
  const: () => 1,
  linear: (q: number) => q,
  cosine: (q: number) => (1 - Math.cos(Math.PI * q)) / 2,
} as const;

/** r(k, K) for step k of K planned steps. const keeps `final`; exponent is geometric, the others interpolate. */
export const middleRatio = ({ schedule, initial, final }: MiddleTime, step: number, steps: number): number => {
  const q = step / steps;
  if (schedule === "exponent") return initial * (final / initial) ** q;
  const share = progress[schedule](q);
  return (1 - share) * initial + share * final;
};
