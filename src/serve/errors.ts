import { HTTPException } from "hono/http-exception";
import { UserError } from "../errors.js";
import { gone } from "./deadline.js";
import { Refusal } from "./refusal.js";

/** Codes of a connection that its client has closed. */
const CLOSED = ["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED"];

const hasLeft = (thrown: unknown): boolean =>
  thrown instanceof Error && CLOSED.includes((thrown as NodeJS.ErrnoException).code ?? "");

/** What an error is to whoever asked. Of our own mistakes they learn no details; `report` gets those. */
export const refusalOf = (thrown: unknown, report: (text: string) => void): Refusal => {
  if (thrown instanceof Refusal) return thrown;
  if (hasLeft(thrown)) return gone();
  if (thrown instanceof UserError) return new Refusal(422, "request", thrown.message);
  if (thrown instanceof HTTPException && thrown.status < 500)
    return new Refusal(400, "body", `the request could not be read: ${thrown.message || "malformed"}`);
  report(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  return new Refusal(500, "internal", "something went wrong in the server; its log says what");
};

type Issue = { readonly path: readonly PropertyKey[]; readonly message: string };

/** The first few problems of a body, each with where it is. */
export const invalidBody = (issues: readonly Issue[]): Refusal => {
  const told = issues.slice(0, 3).map(({ path, message }) => `${path.map(String).join(".") || "body"}: ${message}`);
  const more = issues.length > 3 ? `; and ${issues.length - 3} more` : "";
  return new Refusal(422, "invalid", told.join("; ").slice(0, 500) + more);
};
