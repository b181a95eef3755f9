import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.js";
import { workerUrl } from "../runtime/workerUrl.js";
import type { Config } from "../train/config/index.js";
import type { RunProgress } from "../train/run.js";
import type { Reply, Request } from "./messages.js";

export type Listeners = {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
  readonly onNote?: (text: string) => void;
};

/** Signals that ask a process to end. One that comes before the process listens ends it without a last word. */
const ASK_TO_END: readonly unknown[] = ["SIGINT", "SIGTERM", "SIGHUP"] satisfies NodeJS.Signals[];

/** The last word of a process; what it says before goes to the listeners. */
const lastWord = (child: ChildProcess, { signal, onProgress, onNote }: Listeners): Promise<Reply> =>
  new Promise((resolve, reject) => {
    let last: Reply | undefined;
    child.on("message", (reply: Reply) => {
      if (reply.kind === "progress") onProgress?.(reply.progress);
      else if (reply.kind === "note") onNote?.(reply.text);
      else last = reply;
    });
    child.on("error", reject);
    child.on("exit", (code, killed) => {
      if (last) return resolve(last);
      if (signal?.aborted || ASK_TO_END.includes(killed)) return resolve({ kind: "stopped" });
      const how = killed ?? `exit code ${code}`;
      reject(new UserError(`the training process ended early (${how}); the same command resumes the comparison`));
    });
  });

/** Asks a process of its own and waits for its last word. An abort has it finish its step and save. */
const ask = async (request: Request, listeners: Listeners): Promise<Reply> => {
  const { signal } = listeners;
  if (signal?.aborted) return { kind: "stopped" };
  const child = fork(workerUrl(import.meta.url, "./worker.js"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const stop = (): void => void child.send({ kind: "stop" } satisfies Request, () => {}); // it may have ended
  const end = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  process.on("exit", end);
  try {
    child.send(request, () => {});
    return await lastWord(child, listeners);
  } finally {
    signal?.removeEventListener("abort", stop);
    process.off("exit", end);
  }
};

const refuse = (reply: Reply): never => {
  if (reply.kind === "failed" && reply.bad) throw new UserError(reply.message);
  throw new Error(reply.kind === "failed" ? reply.message : `unexpected reply ${reply.kind}`);
};

/**
 * A stop that the comparison did not ask for: a signal went to the training process. Ctrl-C goes to both, so the comparison's
 * own may be a moment behind; otherwise the signal was meant for that process alone, and the comparison ends with it.
 */
const requireOwnStop = async (signal: AbortSignal | undefined): Promise<void> => {
  for (let turn = 0; turn < 20 && !signal?.aborted; turn++) await sleep(50);
  if (!signal?.aborted)
    throw new UserError("the training process was stopped by a signal; the same command resumes the comparison");
};

/** Median seconds of a training step; undefined when it was stopped. */
export const timeApart = async (config: Config, listeners: Listeners): Promise<number | undefined> => {
  const reply = await ask({ kind: "time", config }, listeners);
  if (reply.kind === "stopped") return void (await requireOwnStop(listeners.signal));
  return reply.kind === "timed" ? reply.secondsPerStep : refuse(reply);
};

/** Trains in a process of its own. The peak memory is that process's, in bytes; 0 where it was stopped at its start. */
export const trainApart = async (
  config: Config,
  listeners: Listeners,
): Promise<{ readonly finished: boolean; readonly peakMemory: number }> => {
  const reply = await ask({ kind: "train", config }, listeners);
  if (reply.kind === "stopped" || (reply.kind === "trained" && !reply.finished)) await requireOwnStop(listeners.signal);
  if (reply.kind === "stopped") return { finished: false, peakMemory: 0 };
  return reply.kind === "trained" ? reply : refuse(reply);
};
