// Rewrites a lock file every few seconds, so that other hosts see that its holder runs. In a thread of its own, for
// some computations keep the main one for a minute. It writes, so that the file system's own clock sets the time.
import { closeSync, openSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

type Work = { readonly path: string; readonly text: string; readonly every: number };
const { path, text, every } = workerData as Work;

const beat = (): void => {
  try {
    const file = openSync(path, "r+"); // never makes the file: it is gone when another process took the lock over
    writeSync(file, text, 0);
    closeSync(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") parentPort?.postMessage("lost");
  }
};

setInterval(beat, every);
