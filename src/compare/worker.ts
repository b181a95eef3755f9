// One process a run: its peak memory is the method's alone, and whatever happens to it leaves the comparison whole.
import { constants } from "node:os";
import { messageOf, UserError } from "../errors.js";
import { explainSystemError } from "../files/index.js";
import { peakMemory } from "../runtime/index.js";
import { runTraining, timeTraining } from "../train/run.js";
import type { Reply, Request } from "./messages.js";

const stop = new AbortController();
const send = (reply: Reply): Promise<void> => new Promise((resolve) => process.send!(reply, () => resolve()));

const train = async ({ config }: Request & { kind: "train" }): Promise<Reply> => {
  const { finished } = await runTraining({
    config,
    signal: stop.signal,
    onProgress: (progress) => void send({ kind: "progress", progress }),
    onNote: (text) => void send({ kind: "note", text }),
  });
  return { kind: "trained", finished, peakMemory: peakMemory() };
};

/** Timing keeps nothing, so a stop ends it at once. */
const time = ({ config }: Request & { kind: "time" }): Promise<Reply> =>
  new Promise((resolve, reject) => {
    stop.signal.addEventListener("abort", () => resolve({ kind: "stopped" }));
    timeTraining(config).then((secondsPerStep) => resolve({ kind: "timed", secondsPerStep }), reject);
  });

const failed = (thrown: unknown): Reply => {
  if (stop.signal.aborted && thrown === stop.signal.reason) return { kind: "stopped" };
  const { message } = thrown instanceof UserError ? thrown : (explainSystemError(thrown) ?? {});
  if (message !== undefined) return { kind: "failed", bad: true, message };
  return { kind: "failed", bad: false, message: (thrown as Error).stack ?? messageOf(thrown) };
};

let asked = false;
// Ctrl-C reaches the whole group, kill perhaps this process alone: either way it finishes its step and saves.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    if (asked) process.exit(128 + constants.signals[signal]);
    asked = true;
    stop.abort();
  });
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {}); // a reader that has gone
process.on("disconnect", () => stop.abort()); // the comparison is gone: save, then end
process.on("message", async (request: Request) => {
  if (request.kind === "stop") return stop.abort();
  await send(await (request.kind === "time" ? time(request) : train(request)).catch(failed));
  process.exit(0);
});
