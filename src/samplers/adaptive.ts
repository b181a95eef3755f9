import { UserError } from "../errors.js";
import { nth, zip } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { abs, less, maximum, sqrt, where, zerosLike } from "../ops/index.js";
import { insistTolerance } from "./checks.js";
import { advance, type Slope, stages } from "./ode.js";
import { type Plan, type Sampler, type SamplerOptions, type Step, samplerOn, stepProgram } from "./sampler.js";
import { DORMAND_PRINCE } from "./tableau.js";

/** Share of the optimal step that is taken, and how far a step may shrink or grow at once (Hairer, Nørsett and Wanner). */
const SAFETY = 0.9;
const SHRINK = 0.2;
const GROW = 5;
/** The first step and the smallest, as shares of the way; below the smallest, time in float32 hardly moves. */
const FIRST = 1 / 20;
const SMALLEST = 1e-6;
const MOST_MOVES = 1000;

type Tolerances = Pick<SamplerOptions, "atol" | "rtol">;

/** Where a sample is: its time, its next step (0 once it has arrived), and whether that step is its last. */
type Place = { readonly t: number; readonly h: number; readonly last: boolean };

const { a, b, embedded, name } = DORMAND_PRINCE;
const DIFFERENCE = zip(b, embedded).map(([weight, lower]) => weight - lower);

/** √ mean (e / (atol + rtol max(|x|, |x′|)))² over a sample: at most 1 where the step is good enough.   → [B 1 1 1] */
const errorNorm = (e: Tensor, x: Tensor, xNew: Tensor, { atol, rtol }: Tolerances): Tensor => {
  const scale = maximum(abs(x), abs(xNew)).mul(rtol).add(atol);
  return sqrt(e.div(scale).square().mean([1, 2, 3]));
};

/** x′ = x + h Σ b_i k_i and e = h Σ (b_i − b̂_i) k_i; a sample whose error is not below 1 stays where it was. */
const adaptiveStep =
  (slope: Slope, tolerances: Tolerances): Step<"t" | "h"> =>
  (x, { t, h }) => {
    const k = stages(slope, DORMAND_PRINCE, x, t, h);
    const xNew = advance(x, h, b, k);
    const e = advance(zerosLike(x), h, DIFFERENCE, k);
    const error = errorNorm(e, x, xNew, tolerances);
    return { x: where(less(error, 1), xNew, x), error };
  };

/** The factor of the next step, 0.9 error^{−1/5} within limits; after a rejection it is not above 1. */
const factorOf = (error: number): number => {
  if (Number.isNaN(error)) return SHRINK;
  const wanted = SAFETY * error ** (-1 / DORMAND_PRINCE.order);
  return Math.min(Math.max(wanted, SHRINK), error < 1 ? GROW : 1);
};

/** The way of all samples from time `start` to `end`. */
const journey = (start: number, end: number, { atol, rtol }: Tolerances) => {
  const length = Math.abs(end - start);
  const direction = Math.sign(end - start);
  const loosen = `loosen rtol (${rtol}) or atol (${atol})`;

  /** A step of this size from t, or all the rest where that would leave less than a smallest step. */
  const place = (t: number, size: number): Place => {
    const rest = Math.abs(end - t);
    const last = size > rest - SMALLEST * length;
    return { t, h: Math.fround(last ? end - t : direction * size), last }; // as the program will see it
  };

  const next = ({ t, h, last }: Place, error: number, sample: number): Place => {
    if (h === 0) return { t, h, last };
    if (error < 1 && last) return { t: end, h: 0, last };
    const size = Math.abs(h) * factorOf(error);
    if (size >= SMALLEST * length) return place(error < 1 ? t + h : t, size);
    throw new UserError(
      Number.isFinite(error)
        ? `sampler ${name}: sample ${sample} needs steps below ${SMALLEST} of the way at t = ${t}; ${loosen}`
        : `sampler ${name}: sample ${sample} has values that are not finite at t = ${t}; use other weights`,
    );
  };

  const moves: Plan["moves"] = function* (batch) {
    let places = Array.from({ length: batch }, () => place(start, FIRST * length));
    for (let move = 0; places.some(({ h }) => h !== 0); move++) {
      if (move === MOST_MOVES)
        throw new UserError(`sampler ${name}: ${MOST_MOVES} moves did not reach the end; ${loosen}`);
      const at = { t: Float32Array.from(places, ({ t }) => t), h: Float32Array.from(places, ({ h }) => h) };
      const errors = yield { program: "step", at, fresh: false };
      if (!errors) throw new Error(`sampler ${name}: its step was run without a report of its errors`);
      places = zip(places, errors).map(([before, error], i) => next(before, error, i));
    }
  };
  return moves;
};

/**
 * Dormand–Prince 5(4) with a step size of its own for each sample, all in lock step: what becomes of a sample does not
 * depend on the others, and one that has arrived waits with h = 0. Every move evaluates all 7 stages; the last stage of
 * a step is not kept for the next, as it would have to travel with x.
 */
export const dopri5 = ({ atol, rtol }: SamplerOptions): Sampler => {
  insistTolerance(name, "atol", atol);
  insistTolerance(name, "rtol", rtol);
  const about = "ODE solver of order 5 that chooses its own steps; 7 evaluations a step";
  return samplerOn("ode", about, ({ slope, times }) => {
    const way = times(1);
    return {
      programs: { step: stepProgram(["t", "h"], a.length, adaptiveStep(slope, { atol, rtol })) },
      moves: journey(nth(way, 0), nth(way, 1), { atol, rtol }),
    };
  });
};
