#!/usr/bin/env node
import type { Runtime } from "../runtime/index.js";
import { runProgram, type Verb } from "./program.js";

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

/** The verbs. Each file, and the library function behind it, is imported when it is needed and not before. */
const verbs: readonly Verb[] = [
  {
    name: "doctor",
    load: async () => {
      const { doctorCommand } = await import("./doctor.js");
      const openRuntime = async () => ({ runtime: await (await import("../runtime/index.js")).openRuntime() });
      const matmulRate = async (runtime: Runtime) => (await import("../train/matmulRate.js")).matmulRate(runtime);
      return doctorCommand({ openRuntime, matmulRate }, out);
    },
  },
];

// A reader that has seen enough, such as head, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 70));

process.exitCode = await runProgram(process.argv.slice(2), verbs, { out, err });
