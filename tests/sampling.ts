import type { DType } from "../src/graph/dtype.js";
import type { Tensor } from "../src/graph/tensor.js";
import { cast, constant, div, gather, input, reshape, sqrt, sub } from "../src/ops/index.js";
import { LEVELS, PATHS } from "../src/paths/index.js";
import { sampleTimes } from "../src/samplers/renoise.js";
import type { Move, Plan, Readings } from "../src/samplers/sampler.js";

/** Values of tensors, given those of the program inputs. */
export type Evaluate = (
  outputs: readonly Tensor[],
  feeds: Readonly<Record<string, ArrayLike<number>>>,
) => readonly ArrayLike<number>[] | Promise<readonly ArrayLike<number>[]>;

type Drive = {
  /** The first x, one number for each sample. */
  readonly x: ArrayLike<number>;
  /** Fresh noise for each sample at move k, where that move wants some. */
  readonly noise?: (k: number) => ArrayLike<number>;
  readonly dtype?: DType;
};

/** Tensors of a plan's programs by name, for a batch of samples of one number. */
const trace = ({ programs }: Plan, batch: number, dtype: DType) => {
  const symbol = (name: string): Tensor => input(name, { dtype, shape: [batch, 1, 1, 1] });
  const tensors = Object.entries(programs).map(([name, { numbers, step }]) => {
    const { x, error } = step(symbol("x"), Object.fromEntries(numbers.map((n) => [n, symbol(n)])), symbol("eps"));
    return [name, error ? [x, error] : [x]] as const;
  });
  return new Map<string, readonly Tensor[]>(tensors);
};

/** Runs a plan: where its samples end, after how many evaluations, and the moves that were made. */
export const drive = async (plan: Plan, evaluate: Evaluate, { x: first, noise, dtype = "float64" }: Drive) => {
  const batch = first.length;
  const tensors = trace(plan, batch, dtype);
  const every = (value: number | Float32Array) => (typeof value === "number" ? Array(batch).fill(value) : value);
  const moves = plan.moves(batch);
  const made: Move[] = [];
  let [x, error]: [ArrayLike<number>, Float32Array | undefined] = [first, undefined];
  for (let turn = moves.next(); !turn.done; turn = moves.next(error)) {
    const { program, at, fresh } = turn.value;
    const eps = (fresh && noise?.(made.length)) || new Float64Array(batch);
    const numbers = Object.entries(at).map(([name, value]) => [name, every(value)] as const);
    const [next, told] = await evaluate(tensors.get(program)!, { x, eps, ...Object.fromEntries(numbers) });
    [x, error] = [next!, told && Float32Array.from(told)];
    made.push(turn.value);
  }
  const evaluations = made.reduce((n, { program }) => n + plan.programs[program]!.evaluations, 0);
  return { x: Array.from(x), evaluations, moves: made };
};

export type Moments = { readonly mean: number; readonly variance: number };

/**
 * Mean and variance of what a plan makes of x with these moments, when each of its moves is affine in x and ε: exact,
 * as the responses to x and to each ε are read off one run. For plans whose numbers depend on no sample.
 */
export const momentsAfter = async (plan: Plan, evaluate: Evaluate, { mean, variance }: Moments): Promise<Moments> => {
  const count = [...plan.moves(1)].length;
  const unit = (j: number): number[] => Array.from({ length: count + 2 }, (_, i) => Number(i === j));
  const { x } = await drive(plan, evaluate, { x: unit(1), noise: (k) => unit(k + 2) });
  const [offset, gain, ...kicks] = x.map((value, i) => (i === 0 ? value : value - x[0]!));
  const fromNoise = kicks.reduce((total, kick) => total + kick ** 2, 0);
  return { mean: offset! + gain! * mean, variance: gain! ** 2 * variance + fromNoise };
};

/** Row i of a table of numbers, for whole numbers i [B 1 1 1]. */
const lookUp = (table: ArrayLike<number>, i: Tensor): Tensor => {
  const rows = constant(table, [table.length, 1], i.dtype);
  return reshape(gather(rows, reshape(cast(i, { to: "int64" }), { shape: [i.dim(0)] })), { shape: i.shape });
};

/** Everything a perfect model would say of data from N(m, s²). Times of `ode` and `solution` are on the linear path. */
export const exactReadings = (m: number, s: number, alphaBars: ArrayLike<number> = [0.9, 0.1]): Required<Readings> => {
  const { alpha, beta } = PATHS.linear;
  const variance = (t: Tensor): Tensor =>
    alpha(t)
      .square()
      .mul(s ** 2)
      .add(beta(t).square());
  const excess = (x: Tensor, t: Tensor): Tensor => x.sub(alpha(t).mul(m));
  const level = (sigma: Tensor): Tensor => sigma.square().add(s ** 2);
  return {
    ode: {
      // v = μ′ + (σ′/σ) (x − μ) with μ = α m, σ² = α² s² + β²
      slope: (x, t) =>
        t
          .sub(alpha(t).mul(s ** 2))
          .div(variance(t))
          .mul(excess(x, t))
          .sub(m),
      times: sampleTimes,
    },
    // f = μ_s + (σ_s/σ_t) (x − μ_t)
    solution: {
      f: (x, t, to) =>
        sqrt(variance(to).div(variance(t)))
          .mul(excess(x, t))
          .add(alpha(to).mul(m)),
      path: PATHS.linear,
    },
    noise: {
      eps: (x, i) => {
        const alphaBar = lookUp(alphaBars, i);
        const noise = sub(1, alphaBar);
        const total = alphaBar.mul(s ** 2).add(noise);
        return sqrt(noise)
          .mul(x.sub(sqrt(alphaBar).mul(m)))
          .div(total);
      },
      alphaBars,
    },
    denoiser: (x, sigma) =>
      x
        .mul(s ** 2)
        .add(sigma.square().mul(m))
        .div(level(sigma)),
    consistency: (x, sigma) =>
      sqrt(div(LEVELS.smallest ** 2 + s ** 2, level(sigma)))
        .mul(x.sub(m))
        .add(m),
    deviation: 1,
  };
};
