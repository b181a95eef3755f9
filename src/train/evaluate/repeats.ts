import { join } from "node:path";
import { UserError } from "../../errors.js";
import { writeFileAtomically } from "../files.js";
import { withFolder } from "../lock/index.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";
import { type Figure, figuresOf } from "./figures.js";
import { isModel } from "./open.js";
import { repeatsPage } from "./report.js";
import type { Results } from "./results.js";

/** An evaluation of several seeds: the results of each, and every figure's mean and deviation over them. */
export type Repeated = {
  readonly seeds: readonly number[];
  readonly figures: readonly Figure[];
  readonly results: readonly Results[];
};

const checkOptions = ({ samples, part, merge }: EvaluateOptions): void => {
  if (!isModel(samples))
    throw new UserError(
      `evaluate: --repeats draws anew with other seeds; ${samples} is no model, its images are what they are`,
    );
  if (part || merge?.length)
    throw new UserError(
      "evaluate: --repeats goes with neither --part nor --merge; compute and merge the parts of one --seed at a time",
    );
};

/** Mean and sample deviation of each figure that all seeds have. */
const overSeeds = (all: readonly Results[]): Figure[] => {
  const [first = [], ...others] = all.map(({ metric, scores }) => figuresOf({ metric, scores })); // the floor is the reference's own
  return first.flatMap(({ name, value }) => {
    const values = [value, ...others.flatMap((figures) => figures.find((figure) => figure.name === name)?.value ?? [])];
    if (values.length < all.length) return [];
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    return [{ name, value: mean, deviation: [Math.sqrt(square / (values.length - 1)), "seeds"] as const }];
  });
};

/**
 * Evaluates a model with `repeats` seeds, from `draw.seed` on, each in a folder of its own in `out`; results.json and
 * index.html there say how much the figures move. Throws a `UserError` for what is no model.
 */
export const evaluateRepeats = async (options: EvaluateOptions, repeats: number): Promise<Repeated> => {
  checkOptions(options);
  return withFolder(options.out, options, (signal) => evaluateSeeds({ ...options, signal }, repeats));
};

const evaluateSeeds = async (options: EvaluateOptions, repeats: number): Promise<Repeated> => {
  const seeds = Array.from({ length: repeats }, (_, k) => options.draw.seed + k);
  const results: Results[] = [];
  for (const seed of seeds) {
    const own = { ...options, out: join(options.out, `seed-${seed}`), draw: { ...options.draw, seed } };
    results.push((await evaluate(own))!); // only parts have none
  }
  const repeated = { seeds, figures: overSeeds(results), results };
  await writeFileAtomically(join(options.out, "index.html"), repeatsPage(results[0]!, seeds, repeated.figures));
  await writeFileAtomically(join(options.out, "results.json"), `${JSON.stringify(repeated, null, 2)}\n`);
  return repeated;
};
