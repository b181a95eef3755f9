#!/usr/bin/env node
import { EXIT, outcomeOf } from "./errors.js";
import { runProgram } from "./program.js";
import { verbsOf } from "./verbs.js";

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

// Whether anybody reads what is printed must not end the work: a reader such as head leaves, a terminal closes (EIO).
process.stderr.on("error", () => {});
let unwritten: Error | undefined;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" && error.code !== "EIO") unwritten ??= Object.assign(error, { path: "stdout" });
});
process.on("exit", (code) => {
  if (!unwritten) return;
  const { text, code: failed } = outcomeOf(unwritten);
  err(text);
  if (code === EXIT.ok) process.exitCode = failed;
});

process.exitCode = await runProgram(process.argv.slice(2), verbsOf(out), { out, err });
