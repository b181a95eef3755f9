import { nth } from "../graph/lists.js";
import { insist } from "./checks.js";
import type { Readings } from "./sampler.js";

type Noise = NonNullable<Readings["noise"]>;

/** One step of a respaced diffusion: from ᾱ at the network's step i to ᾱ′, closer to data; ᾱ′ = 1 at the last. */
export type SpacedStep = { readonly i: number; readonly alphaBar: number; readonly alphaBarNext: number };

/** As Python rounds: a half goes to the even neighbour. */
const roundHalfEven = (x: number): number => {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
};

/**
 * N of the steps 0 … T − 1, rising, as the DiT code spaces them: i (T − 1)/(N − 1), added up and rounded the same way.
 * One step is T − 1, where x is noise; the official rule would take step 0.
 */
export const spacedSteps = (total: number, count: number): readonly number[] => {
  if (count === 1) return [total - 1];
  const stride = (total - 1) / (count - 1);
  let place = 0;
  return Array.from({ length: count }, () => {
    const step = roundHalfEven(place);
    place += stride;
    return step;
  });
};

/** The steps of a sampler, from noise to data. Throws a `UserError` for more steps than the model was trained with. */
export const spaced = (sampler: string, steps: number, { alphaBars }: Noise): readonly SpacedStep[] => {
  const total = alphaBars.length;
  insist(sampler, "steps", steps, steps <= total, `at most ${total}, the steps the model was trained with`);
  const chosen = spacedSteps(total, steps);
  const rising = chosen.map((i, k) => ({
    i,
    alphaBar: nth(alphaBars, i),
    alphaBarNext: k === 0 ? 1 : nth(alphaBars, nth(chosen, k - 1)),
  }));
  return rising.reverse();
};
