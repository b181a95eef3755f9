import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler } from "hono";
import type { Budget } from "./budget.js";
import { connectionOf, whenOver } from "./connection.js";
import { gone } from "./deadline.js";
import { Refusal } from "./refusal.js";

/** So much of a body is read whatever else is held: who asks for images is served while large pictures come slowly. */
const SMALL = 65_536;

/** Most values in a body; 1,024 images, each mixed of 16 noises, have fewer. Parsed, each takes many times its bytes. */
const MOST_VALUES = 100_000;

/** A body that grows: one piece of memory, since the parts that it comes in may be many and tiny. */
class Body {
  private buffer = Buffer.alloc(0);
  private size = 0;
  private taken = 0;

  constructor(
    private readonly budget: Budget,
    private readonly most: number,
  ) {}

  /** Throws a `Refusal` where the body becomes too large, or memory for bodies is short. */
  add(part: Buffer): void {
    const size = this.size + part.length;
    if (size > this.most) throw tooLarge(this.most);
    if (size > this.buffer.length) this.grow(Math.min(this.most, Math.max(size, 2 * this.buffer.length, 4096)));
    part.copy(this.buffer, this.size);
    this.size = size;
  }

  private grow(capacity: number): void {
    const needed = Math.max(0, capacity - SMALL) - this.taken;
    this.budget.take(needed);
    this.taken += needed;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.buffer.copy(grown, 0, 0, this.size);
    this.buffer = grown;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.size);
  }

  giveBack(): void {
    this.budget.giveBack(this.taken);
    this.taken = 0;
  }
}

const tooLarge = (most: number): Refusal =>
  new Refusal(413, "body", `the body is larger than ${most} bytes, the most that this server reads`);

/** Calls `onData` with each part; what it throws ends the reading, and leaves the connection to be answered. */
const eachChunk = (incoming: IncomingMessage, onData: (chunk: Buffer) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (settle: () => void): void => {
      for (const [event, listener] of Object.entries(listeners)) incoming.off(event, listener);
      settle();
    };
    const listeners: Record<string, (chunk: Buffer) => void> = {
      data: (chunk) => {
        try {
          onData(chunk);
        } catch (thrown) {
          incoming.pause();
          stop(() => reject(thrown));
        }
      },
      end: () => stop(resolve),
      error: () => stop(() => reject(gone())),
      close: () => stop(() => reject(gone())),
    };
    for (const [event, listener] of Object.entries(listeners)) incoming.on(event, listener);
  });

const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b];

/** Refuses JSON of very many values before it is parsed. */
const requireFewValues = (body: Buffer): void => {
  let values = 1;
  for (const byte of body) if (byte === COMMA || byte === BRACKET || byte === BRACE) values++;
  if (values > MOST_VALUES)
    throw new Refusal(413, "values", `the body holds more than ${MOST_VALUES} values, the most that this server reads`);
};

const declaredLength = (c: Context): number => Number(c.req.header("Content-Length") ?? 0);

/**
 * Reads the body of a POST into memory, against a budget that all connections share. What it holds is given back when the
 * answer has been sent.
 */
export const readBodies =
  (budget: Budget, most: number): MiddlewareHandler =>
  async (c, next) => {
    if (c.req.method !== "POST") return next();
    if (declaredLength(c) > most) throw tooLarge(most);
    const body = new Body(budget, most);
    whenOver(c, () => body.giveBack());
    await eachChunk(connectionOf(c).incoming, (part) => body.add(part));
    requireFewValues(body.bytes);
    const text: unknown = Promise.resolve(body.bytes.toString("utf8")); // Hono keeps promises there, whatever its types say
    c.req.bodyCache.text = text as string;
    return next();
  };
