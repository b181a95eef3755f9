import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
if (!existsSync(MAIN)) throw new Error("these tests run the compiled command line: npm run build first");

/** How a command ended. */
export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** Where and as whom a command is run; by default as the tests are. */
export type Circumstances = Pick<SpawnOptions, "cwd" | "env" | "uid" | "gid"> & {
  /** As a terminal does: in a process group of its own, whose id is the process's. */
  readonly group?: boolean;
};

/** Starts `soflow ...words`. */
export const start = (
  words: readonly string[],
  { group = false, ...options }: Circumstances = {},
): { process: ChildProcess; ended: Promise<Ended> } => {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(process.execPath, [MAIN, ...words], { ...options, stdio, detached: group });
  const text = { out: "", err: "" };
  child.stdout.on("data", (bytes: Buffer) => {
    text.out += bytes;
  });
  child.stderr.on("data", (bytes: Buffer) => {
    text.err += bytes;
  });
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...text })));
  return { process: child, ended };
};

/** Runs `soflow ...words` to its end. */
export const soflow = (...words: string[]): Promise<Ended> => start(words).ended;
