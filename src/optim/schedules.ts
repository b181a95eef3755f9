import { exhaustive } from "../errors.js";

export type ScheduleOptions = {
  readonly schedule: "constant" | "linear" | "cosine";
  /** Rate after the warm-up. */
  readonly learningRate: number;
  /** Rate at the last step, for linear and cosine. */
  readonly finalLearningRate: number;
  /** Steps over which the rate grows linearly from 0. */
  readonly warmupSteps: number;
  /** Planned number of steps. */
  readonly steps: number;
};

const decay = (schedule: ScheduleOptions["schedule"], q: number): number => {
  switch (schedule) {
    case "constant":
      return 1;
    case "linear":
      return 1 - q;
    case "cosine":
      return (1 + Math.cos(Math.PI * q)) / 2;
    default:
      return exhaustive(schedule);
  }
};

/** The learning rate of step k, counted from 1: linear warm-up, then the schedule down to the final rate. */
export const learningRate =
  ({ schedule, learningRate, finalLearningRate, warmupSteps, steps }: ScheduleOptions) =>
  (k: number): number => {
    if (k <= warmupSteps) return (learningRate * k) / warmupSteps;
    const q = Math.min(1, (k - warmupSteps) / Math.max(1, steps - warmupSteps));
    return finalLearningRate + (learningRate - finalLearningRate) * decay(schedule, q);
  };
