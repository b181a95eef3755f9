import { nth, pairs, zip } from "../graph/lists.js";
import type { Tensor } from "../graph/tensor.js";
import { insistSteps } from "./checks.js";
import { type Move, type Readings, type Sampler, type SamplerOptions, samplerOn, stepProgram } from "./sampler.js";
import type { Tableau } from "./tableau.js";

/** dx/dt as a function of x [B C H W] and t [B 1 1 1]. */
export type Slope = NonNullable<Readings["ode"]>["slope"];

/** x + h Σ w_i k_i, over the weights that are not 0. */
export const advance = (x: Tensor, h: Tensor, weights: readonly number[], k: readonly Tensor[]): Tensor => {
  const terms = weights.flatMap((w, i) => (w === 0 ? [] : [nth(k, i).mul(w)]));
  return terms.length === 0 ? x : x.add(h.mul(terms.reduce((sum, term) => sum.add(term))));
};

/** The stages of one step: k_i = slope(x + h Σ_j a_ij k_j, t + c_i h).   x [B C H W]; t and h [B 1 1 1] */
export const stages = (slope: Slope, { a, c }: Tableau, x: Tensor, t: Tensor, h: Tensor): readonly Tensor[] => {
  const k: Tensor[] = [];
  for (const [row, node] of zip(a, c)) k.push(slope(advance(x, h, row, k), node === 0 ? t : t.add(h.mul(node))));
  return k;
};

/** Evaluations of a step without an error estimate: stages that no weight asks for are left out. */
const evaluationsOf = ({ b }: Tableau): number => b.findLastIndex((weight) => weight !== 0) + 1;

/** An ODE solver of N fixed steps, x ← x + h Σ b_i k_i; h < 0, as time falls from noise to data. */
export const fixedStep =
  (method: Tableau) =>
  ({ steps }: SamplerOptions): Sampler => {
    const { name, order, b } = method;
    const evaluations = evaluationsOf(method);
    insistSteps(name, steps);
    const about = `ODE solver of order ${order}; ${evaluations} evaluation${evaluations === 1 ? "" : "s"} a step`;
    return samplerOn("ode", about, ({ slope, times }) => ({
      programs: {
        step: stepProgram(["t", "h"], evaluations, (x, { t, h }) => ({
          x: advance(x, h, b, stages(slope, method, x, t, h)),
        })),
      },
      moves: () => fixedMoves(times(steps)),
    }));
  };

function* fixedMoves(times: readonly number[]): Generator<Move, void, Float32Array | undefined> {
  for (const [t, next] of pairs(times)) yield { program: "step", at: { t, h: next - t }, fresh: false };
}
