import { exitCodeOf, Interrupted, STOP_SIGNALS, type StopSignal, signalName } from "./errors.js";

/** What is said of a command that a signal stops. */
export type Stopping = {
  /** What is finished first: "this step". */
  readonly unit: string;
  /** What became of the work, and what to do next. */
  readonly after: string;
};

const RESUMES: Stopping = { unit: "this step", after: "the same command resumes" };

/**
 * Runs work that can stop early. The first Ctrl-C, SIGTERM or SIGHUP aborts the signal that the work gets, so that it can
 * finish its step and save; the second ends the process at once. Throws `Interrupted` when the work ended after an abort.
 */
export const interruptible = async (
  work: (signal: AbortSignal) => Promise<void>,
  { unit, after }: Stopping = RESUMES,
): Promise<void> => {
  const controller = new AbortController();
  const onSignal = (signal: StopSignal) => {
    if (controller.signal.aborted) process.exit(exitCodeOf(signal));
    const again = signal === "SIGINT" ? "Ctrl-C again" : "a second signal";
    const name = signal === "SIGINT" ? "" : `${signalName(signal)}: `;
    process.stderr.write(`\nsoflow: ${name}finishing ${unit}; ${again} stops at once\n`);
    controller.abort(new Interrupted(signal, after));
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    await work(controller.signal);
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
  controller.signal.throwIfAborted();
};
