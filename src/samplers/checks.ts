import { LIMITS } from "../checks/limits.js";
import { UserError } from "../errors.js";

/** Throws a `UserError` unless an option of a sampler is as it must be: "sampler euler: steps is 0; it must be at least 1". */
export const insist = (sampler: string, option: string, value: number, ok: boolean, rule: string): void => {
  if (!ok) throw new UserError(`sampler ${sampler}: ${option} is ${value}; it must be ${rule}`);
};

/** A number of steps: whole, at least 1, and not more than anybody waits for. */
export const insistSteps = (sampler: string, steps: number): void => {
  insist(sampler, "steps", steps, Number.isInteger(steps), "a whole number");
  insist(sampler, "steps", steps, steps >= 1, "at least 1");
  insist(sampler, "steps", steps, steps <= LIMITS.steps, `at most ${LIMITS.steps}`);
};

/** A tolerance: finite, above 0. */
export const insistTolerance = (sampler: string, option: string, value: number): void => {
  insist(sampler, option, value, Number.isFinite(value), "finite");
  insist(sampler, option, value, value > 0, "above 0");
};
