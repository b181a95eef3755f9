import { startServer } from "../../serve/server.js";
import type { ServeOptions } from "../serve.js";

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve();
      });
  });

/** Milliseconds after the grace in which what runs may end, and temporary files are removed. */
const LAST_MOVE = 500;

/**
 * Ends the process while a network evaluation still runs, which nobody waits for any more and nothing can interrupt: an exit
 * would wait for it.
 */
const endNow = (): void => {
  process.emit("exit", 0);
  process.kill(process.pid, "SIGKILL");
};

/** `soflow serve`: serves until it is told to stop, then answers what it had accepted. */
export const run = async (options: ServeOptions, out: (text: string) => void): Promise<void> => {
  const report = (text: string): void => void process.stderr.write(`soflow: ${text}\n`);
  const stopped = stopSignal();
  const { url, models, stop } = await startServer({ ...options, report });
  out(`serving ${models.join(", ")} on ${url}\n`);
  await stopped;
  report("stopping: answering what was accepted; again to stop at once");
  const overdue = setTimeout(endNow, options.grace + LAST_MOVE);
  await stop();
  clearTimeout(overdue);
};
