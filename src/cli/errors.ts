import { CommanderError } from "commander";
import { UserError } from "../errors.js";

/** A check that the user asked for did not pass: exit code 1. */
export class FailedCheck extends Error {
  override name = "FailedCheck";
}

/** The user stopped the command with Ctrl-C: exit code 130. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

export const EXIT = { ok: 0, failedCheck: 1, badInput: 2, internal: 70, interrupted: 130 } as const;

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
  if (thrown instanceof Interrupted) return { code: EXIT.interrupted, text: prefixed(thrown.message) };
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return {
    code: EXIT.internal,
    text: `${prefixed("internal error; please report it with the lines below")}${stack}\n`,
  };
};
