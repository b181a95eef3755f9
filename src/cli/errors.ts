import { constants } from "node:os";
import { CommanderError } from "commander";
import { UserError } from "../errors.js";
import { explainSystemError } from "../files/index.js";

/** A check that the user asked for did not pass: exit code 1. */
export class FailedCheck extends Error {
  override name = "FailedCheck";
}

/** The command line itself was wrong: exit code 2, and the verb's help is pointed to. */
export class UsageError extends UserError {
  override name = "UsageError";
}

/** Signals that end a command in good order. */
export const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** A signal for people. */
export const signalName = (signal: StopSignal): string => (signal === "SIGINT" ? "Ctrl-C" : signal);

/** The exit code of a command that a signal ended, as shells have it: 130, 143, 129. */
export const exitCodeOf = (signal: StopSignal): number => 128 + constants.signals[signal];

/** The user stopped the command with Ctrl-C, or another program with SIGTERM or SIGHUP: exit code 130, 143 or 129. */
export class Interrupted extends Error {
  override name = "Interrupted";

  /** `what`: what became of the work. */
  constructor(
    readonly signal: StopSignal,
    what: string,
  ) {
    super(`stopped by ${signalName(signal)}; ${what}`);
  }
}

export const EXIT = { ok: 0, failedCheck: 1, badInput: 2, internal: 70 } as const;

const prefixed = (message: string): string =>
  message
    .split("\n")
    .map((line) => `soflow: ${line}\n`)
    .join("");

/** What a command's failure means for the exit code, and what is written to stderr. */
export const outcomeOf = (thrown: unknown): { readonly code: number; readonly text: string } => {
  if (thrown instanceof CommanderError) return { code: thrown.exitCode === 0 ? EXIT.ok : EXIT.badInput, text: "" };
  if (thrown instanceof UserError) return { code: EXIT.badInput, text: prefixed(thrown.message) };
  if (thrown instanceof FailedCheck) return { code: EXIT.failedCheck, text: prefixed(thrown.message) };
  if (thrown instanceof Interrupted) return { code: exitCodeOf(thrown.signal), text: prefixed(thrown.message) };
  const refusal = explainSystemError(thrown);
  if (refusal) return { code: EXIT.badInput, text: prefixed(refusal.message) };
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return {
    code: EXIT.internal,
    text: `${prefixed("internal error; please report it with the lines below")}${stack}\n`,
  };
};
