// A child process that reads files one by one, watched from outside: peak memory and time of every single file.
// Linux only: memory is what /proc says of the child.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("child.mjs", import.meta.url));
const KIB = 1024;
const POLL_MS = 10;
/** Memory that a child may hold after an input, above its idle state, before it is asked to collect garbage. */
const LITTER = 64 * 2 ** 20;
const TICKS_PER_SECOND = 100;

/** A number of kilobytes in /proc/PID/status, in bytes. */
const memory = (pid, field) => {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) * KIB;
};

/** Seconds that a process has computed. */
const seconds = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

const start = (dist) => {
  const child = spawn(process.execPath, ["--expose-gc", CHILD, dist], { stdio: ["pipe", "pipe", "pipe"] });
  let [errors, waiting, gone] = ["", undefined, undefined];
  const answers = [];
  child.stderr.on("data", (data) => {
    errors = `${errors}${data}`.slice(-2000);
  });
  child.stdin.on("error", () => {}); // a child that dies says so by its end
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line);
    if (waiting) waiting(answer);
    else answers.push(answer);
    waiting = undefined;
  });
  child.on("close", (code, signal) => {
    gone = { kind: "died", message: `exit ${code ?? signal}: ${errors}` };
    waiting?.(gone);
  });
  const answer = () =>
    new Promise((resolve) => {
      const known = answers.shift() ?? gone;
      if (known) resolve(known);
      else waiting = resolve;
    });
  return { child, answer, alive: () => gone === undefined };
};

/**
 * Watches reading. `read(reader, path)` gives the outcome (read, refused, or what should not be: thrown, unhandled, unclear,
 * died, memory, time), its message, and bytes above idle and seconds that it took. A child that passes a limit is
 * killed and replaced.
 */
export const watch = async (dist, { most = 300 * 2 ** 20, longest = 2, patience = 30 } = {}) => {
  let current;
  let idle = 0;
  const begin = async () => {
    current = start(dist);
    await current.answer();
    idle = memory(current.child.pid, "VmRSS");
  };
  const stop = async () => {
    if (!current?.alive()) return;
    current.child.kill("SIGKILL");
    while (current.alive()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  /** Kills a child that takes too much, and says what it was that it took. */
  const guard = (pid, before) => {
    const guarded = { peak: 0, killed: undefined };
    const began = performance.now();
    guarded.timer = setInterval(() => {
      try {
        guarded.peak = Math.max(guarded.peak, memory(pid, "VmHWM") - idle);
        if (guarded.peak > most) guarded.killed = "memory";
        else if (seconds(pid) - before > longest || performance.now() - began > 1000 * patience)
          guarded.killed = "time";
      } catch {
        return; // it is gone
      }
      if (guarded.killed) current.child.kill("SIGKILL");
    }, POLL_MS);
    return guarded;
  };

  const tidy = async (pid) => {
    if (memory(pid, "VmRSS") - idle <= LITTER) return;
    current.child.stdin.write("collect\n");
    await current.answer();
    if (memory(pid, "VmRSS") - idle > LITTER) await stop();
  };

  const read = async (reader, path) => {
    if (!current?.alive()) await begin();
    const { pid } = current.child;
    const [before, began] = [seconds(pid), performance.now()];
    writeFileSync(`/proc/${pid}/clear_refs`, "5"); // VmHWM begins anew
    const guarded = guard(pid, before);
    current.child.stdin.write(`${reader} ${path}\n`);
    const answer = await current.answer();
    clearInterval(guarded.timer);
    const wall = (performance.now() - began) / 1000;
    if (!current.alive() || guarded.killed) {
      await stop();
      return { ...answer, kind: guarded.killed ?? answer.kind, peak: guarded.peak, seconds: wall };
    }
    const peak = memory(pid, "VmHWM") - idle;
    const taken = seconds(pid) - before;
    const kind = peak > most ? "memory" : taken > longest ? "time" : answer.kind;
    await tidy(pid);
    return { ...answer, kind, peak, seconds: wall };
  };
  return { read, stop };
};
