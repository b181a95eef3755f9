import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process that holds a lock, as its lock file describes it. */
export type Holder = {
  readonly pid: number;
  /** When the process started, in clock ticks since the machine did; empty where the system does not say. */
  readonly started: string;
  readonly host: string;
  /** Where a process ID means the same process: host, boot and PID namespace. Containers are places of their own. */
  readonly place: string;
};

const attempt = (read: () => string): string => {
  try {
    return read().trim();
  } catch {
    return "";
  }
};

/** Field 22 of Linux's /proc/PID/stat; empty where there is none, `ended` for a process that only awaits its parent. */
const startOf = (pid: number | "self"): string => {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return /[ZXx]/.test(state) ? "ended" : (fields[18] ?? "");
};

const placeOf = (host: string): string => {
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
  return [host, boot, attempt(() => readlinkSync("/proc/self/ns/pid"))].join(" ").trim();
};

/** This process as a holder. */
export const thisProcess = (): Holder => {
  const host = hostname();
  return { pid: process.pid, started: startOf("self"), host, place: placeOf(host) };
};

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
};

/**
 * What can be known of a holder from here: that its process runs, that it is gone (its ID may have gone to another
 * process), or neither, for one of another place or where the system keeps no start times. Then its heartbeat decides.
 */
export const fateOf = (holder: Holder | undefined): "alive" | "gone" | "unknown" => {
  if (!holder || holder.place !== thisProcess().place) return "unknown";
  const started = startOf(holder.pid);
  if (started !== "" && holder.started !== "") return started === holder.started ? "alive" : "gone";
  return exists(holder.pid) ? "unknown" : "gone";
};

/** The holder that a lock file names; undefined for a file that a crash of the machine left without its contents. */
export const parseHolder = (text: string): Holder | undefined => {
  const value = parsed(text);
  if (typeof value === "number") return { ...thisProcess(), pid: value, started: "" }; // the lock's earlier form
  const { pid, started, host, place } = (value ?? {}) as Record<string, unknown>;
  const texts = [started, host, place].every((field) => typeof field === "string");
  return typeof pid === "number" && texts ? (value as Holder) : undefined;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** A holder for people: `process 12`, with the host where that is another. */
export const nameOf = (holder: Holder | undefined): string => {
  if (!holder) return "a process that did not name itself";
  const { pid, host, place } = holder;
  const here = thisProcess();
  if (place === here.place) return pid === here.pid ? "this process" : `process ${pid}`;
  return `process ${pid} on host ${host}${host === here.host ? " (another container, or before a restart)" : ""}`;
};
