import { Interrupted } from "./errors.js";

/**
 * Runs work that can stop early: the first Ctrl-C aborts the signal, so that the work can finish its step and save,
 * the second ends the process at once. Throws `Interrupted` when the work returned after an abort.
 */
export const interruptible = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const controller = new AbortController();
  const onInterrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("\nsoflow: finishing this step; Ctrl-C again stops at once\n");
    controller.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    await work(controller.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
  if (controller.signal.aborted) throw new Interrupted("stopped by Ctrl-C");
};
