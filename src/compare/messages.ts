import type { Config } from "../train/config/index.js";
import type { RunProgress } from "../train/run.js";

/** What the comparison asks of the process that trains. */
export type Request =
  /** Time a few steps of a configuration. */
  | { readonly kind: "time"; readonly config: Config }
  /** Train, from where the run folder stands. */
  | { readonly kind: "train"; readonly config: Config }
  /** Finish the step, save and end. */
  | { readonly kind: "stop" };

/** What that process says. */
export type Reply =
  | { readonly kind: "progress"; readonly progress: RunProgress }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "timed"; readonly secondsPerStep: number }
  | { readonly kind: "trained"; readonly finished: boolean; readonly peakMemory: number }
  /** A signal, or the comparison, ended it before there was a result. */
  | { readonly kind: "stopped" }
  /** `bad`: the user's input was at fault. */
  | { readonly kind: "failed"; readonly bad: boolean; readonly message: string };
