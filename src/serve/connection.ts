import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

/** The request and the answer as Node has them. */
export const connectionOf = (c: Context): HttpBindings => c.env as HttpBindings;

/** Calls `listener` once, when the answer has been sent or its client has left; at once where that was before. */
export const whenOver = (c: Context, listener: () => void): void => {
  const { outgoing } = connectionOf(c);
  if (outgoing.closed || outgoing.destroyed) listener();
  else outgoing.once("close", listener);
};

/** Calls `listener` where the client leaves before it has its answer. Returns what stops that. */
export const whenLeft = (c: Context, listener: () => void): (() => void) => {
  const { outgoing } = connectionOf(c);
  const closed = (): void => {
    if (!outgoing.writableFinished) listener();
  };
  if (outgoing.closed || outgoing.destroyed) closed();
  outgoing.once("close", closed);
  return () => outgoing.off("close", closed);
};
