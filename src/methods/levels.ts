import { z } from "zod";
import { count, type Problem } from "../fields.js";
import { consistencyFunction, type LevelWeight, type Metric } from "../objectives/index.js";
import { LEVELS, oneTime } from "../paths/index.js";
import type { Readings } from "../samplers/index.js";
import type { MethodSamplers, TrainedNetwork } from "./define.js";
import { type DrawContext, perSample } from "./draws.js";

/** What the three consistency methods have in common. */
export const metric = (usual: Metric) =>
  z.enum(["l2", "l1", "pseudo_huber"]).default(usual).describe("distance between the two points of a pair");

export const levelWeight = (usual: LevelWeight) =>
  z
    .enum(["uniform", "karras", "inverse_gap"])
    .default(usual)
    .describe("weight of a level: 1, 1/σ² + 1/σ_d², or 1 / (σ_n − σ_{n+1})");

export const curriculumSteps = () =>
  count().nullable().default(null).describe("steps over which the curriculum runs; null: all of train.steps");

type Grid = { readonly grid: readonly number[]; readonly pick: (u: number) => number };

/** σ_n and σ_{n+1} of each sample; `at` gives a step's falling grid, and maps a uniform draw to n, not its last place. */
export const levelDraws = (at: (context: DrawContext) => Grid) => {
  const level = (offset: number) =>
    perSample((context) => {
      const { grid, pick } = at(context);
      return ({ uniform }) => Number(grid[pick(uniform("level")) + offset]);
    });
  return { sigma: level(0), next: level(1) };
};

export const uniformly =
  (levels: number) =>
  (u: number): number =>
    Math.floor(u * (levels - 1));

/** A curriculum must rise, and fit into the run. */
export const curriculumFits = (
  curriculum: { readonly s0: number; readonly s1: number; readonly steps: number | null },
  steps: number,
): Problem | undefined => {
  if (curriculum.s1 < curriculum.s0)
    return { field: "curriculum.s1", text: `is ${curriculum.s1}; it must be at least s0, ${curriculum.s0}` };
  if (curriculum.steps !== null && curriculum.steps > steps)
    return {
      field: "curriculum.steps",
      text: `is ${curriculum.steps}, longer than the run of ${steps} steps; it must be at most train.steps, or null`,
    };
  return undefined;
};

export const consistencyOutputs = (_: unknown, { network, c }: TrainedNetwork): Readings => {
  const f = consistencyFunction(oneTime(network));
  return { consistency: (x, sigma) => f(x, sigma, c), deviation: LEVELS.largest };
};

/** Samplers of consistency functions. */
export const consistencySamplers: MethodSamplers = {
  usual: { sampler: "multistep", steps: 1 },
  at: (n) => [{ sampler: "multistep", steps: n }],
};
