// One process a run: its peak memory is the method's alone, and whatever happens to it leaves the comparison whole.
import { messageOf, UserError } from "../errors.js";
import { peakMemory } from "../runtime/index.js";
import { runTraining, timeTraining } from "../train/run.js";
import type { Reply, Request } from "./messages.js";

const stop = new AbortController();
const send = (reply: Reply): Promise<void> => new Promise((resolve) => process.send!(reply, () => resolve()));

const answer = async (request: Exclude<Request, { kind: "stop" }>): Promise<Reply> => {
  const { config } = request;
  if (request.kind === "time") return { kind: "timed", secondsPerStep: await timeTraining(config) };
  const { finished } = await runTraining({
    config,
    signal: stop.signal,
    onProgress: (progress) => void send({ kind: "progress", progress }),
    onNote: (text) => void send({ kind: "note", text }),
  });
  return { kind: "trained", finished, peakMemory: peakMemory() };
};

process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the comparison says what is to be done
process.on("disconnect", () => stop.abort()); // the comparison is gone: save, then end
process.on("message", async (request: Request) => {
  if (request.kind === "stop") return stop.abort();
  const failed = (thrown: unknown): Reply => ({
    kind: "failed",
    bad: thrown instanceof UserError,
    message: thrown instanceof UserError ? thrown.message : ((thrown as Error).stack ?? messageOf(thrown)),
  });
  await send(await answer(request).catch(failed));
  process.exit(0);
});
