import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
if (!existsSync(MAIN)) throw new Error("these tests run the compiled command line: npm run build first");

/** How a command ended. */
export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** Starts `soflow ...words`; `group`: as a terminal does, in a process group of its own, whose id is the process's. */
export const start = (
  words: readonly string[],
  { group = false } = {},
): { process: ChildProcess; ended: Promise<Ended> } => {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"], detached: group });
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
