import { fork } from "node:child_process";
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

/** Asks a process of its own and waits for its last word; what it says before goes to the listeners. */
const ask = (request: Request, { signal, onProgress, onNote }: Listeners): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const child = fork(workerUrl(import.meta.url, "./worker.js"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const stop = (): void => void child.send({ kind: "stop" } satisfies Request);
    let last: Reply | undefined;
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (reply: Reply) => {
      if (reply.kind === "progress") onProgress?.(reply.progress);
      else if (reply.kind === "note") onNote?.(reply.text);
      else last = reply;
    });
    child.on("error", reject);
    child.on("exit", (code, killed) => {
      signal?.removeEventListener("abort", stop);
      if (last) resolve(last);
      else
        reject(
          new Error(
            `the training process ended early (${killed ?? `exit code ${code}`}); run the same command to go on`,
          ),
        );
    });
    child.send(request);
  });

const refuse = (reply: Reply): never => {
  if (reply.kind === "failed" && reply.bad) throw new UserError(reply.message);
  throw new Error(reply.kind === "failed" ? reply.message : `unexpected reply ${reply.kind}`);
};

/** Median seconds of a training step. */
export const timeApart = async (config: Config, listeners: Listeners): Promise<number> => {
  const reply = await ask({ kind: "time", config }, listeners);
  return reply.kind === "timed" ? reply.secondsPerStep : refuse(reply);
};

/** Trains in a process of its own. */
export const trainApart = async (
  config: Config,
  listeners: Listeners,
): Promise<{ readonly finished: boolean; readonly peakMemory: number }> => {
  const reply = await ask({ kind: "train", config }, listeners);
  return reply.kind === "trained" ? reply : refuse(reply);
};
