// Reads one file after another, as its parent (watched.mjs) says: lines "reader path" in, lines of JSON out.
import { createInterface } from "node:readline";
import { loadReaders } from "./readers.mjs";

const { readers, UserError } = await loadReaders(process.argv[2]);
/** A message is a line; of a configuration there is one for each problem. */
const LONGEST = 2000;
const MOST_LINES = 21;

/** Whether a terminal shows a text as it is. */
const isPrintable = (line) => [...line].every((character) => character >= " " && character !== "\x7f");

const isClear = (message) => {
  const lines = message.split("\n");
  return lines.length <= MOST_LINES && lines.every((line) => line.length <= LONGEST && isPrintable(line));
};

const outcomeOf = (thrown) => {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (!(thrown instanceof UserError)) return { kind: "thrown", message: thrown?.stack ?? message };
  return { kind: isClear(message) ? "refused" : "unclear", message };
};

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

process.on("unhandledRejection", (thrown) => say({ kind: "unhandled", message: String(thrown?.stack ?? thrown) }));
globalThis.gc?.();
say({ kind: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "collect") {
    globalThis.gc?.();
    say({ kind: "collected" });
    continue;
  }
  const space = line.indexOf(" ");
  try {
    await readers[line.slice(0, space)](line.slice(space + 1));
    say({ kind: "read" });
  } catch (thrown) {
    say(outcomeOf(thrown));
  }
}
