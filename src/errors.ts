/** An error whose reader is the user: what was wrong, what was found, what would work. The command line prints it as one line and exits with 2. */
export class UserError extends Error {
  override name = "UserError";

  /** Control characters, which names in a foreign file may hold to steer a terminal, are replaced; line ends stay. */
  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/[^\P{Cc}\n]/gu, "\ufffd"), options);
  }
}

/** The message of whatever was thrown. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** A message that lists the choices in a fixed form: `a, b or c`. */
export const oneOf = (choices: readonly string[]): string =>
  choices.length < 2 ? choices.join("") : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;

/** Closes a union: a `switch` that reaches this has met a value its type says cannot be. */
export const exhaustive = (value: never): never => {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
};
