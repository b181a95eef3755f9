import type { Context } from "hono";
import { Budget } from "./budget.js";
import { connectionOf, whenOver } from "./connection.js";
import type { ModelInfo } from "./protocol.js";
import { Refusal } from "./refusal.js";

/** Most pixels of all images of an answer together. */
const MOST_PIXELS = 2 ** 24;
/** A client takes at least so many bytes of its answer a second. */
const SLOWEST = 16_384;
/** Milliseconds that a client has beside that. */
const PATIENCE = 30_000;

/** What a request is about to make. */
export type Making = {
  readonly info: ModelInfo;
  readonly count: number;
  readonly scale: number;
  /** Whether floats are sent, not PNGs. */
  readonly isRaw: boolean;
  /** Whether pictures come in too. */
  readonly isEdit: boolean;
};

const bytesOf = ({ info: { channels, size }, count, scale, isRaw, isEdit }: Making): number => {
  const floats = 4 * count * channels * size ** 2;
  return floats * (isEdit ? 6 : 2) + (isRaw ? floats : 3 * count * (size * scale) ** 2);
};

/** Memory for images that are made, or wait for their client. */
export class Answers {
  private readonly budget: Budget;

  constructor(
    limit: number,
    /** Milliseconds that making them may take. */
    private readonly timeout: number,
  ) {
    this.budget = new Budget(limit, "images");
  }

  /**
   * Takes memory for an answer until it has been sent. Throws a `Refusal` for more pixels or bytes than any answer may have, or
   * where other answers hold too much. A client that does not take its answer is left.
   */
  hold(c: Context, making: Making): void {
    const { count, scale, info } = making;
    const side = info.size * scale;
    const bytes = bytesOf(making);
    if ((!making.isRaw && count * side ** 2 > MOST_PIXELS) || bytes > this.budget.limit)
      throw new Refusal(
        422,
        "size",
        `${count} image${count === 1 ? "" : "s"} of ${side}×${side} pixels are more than this server sends at once; ask for fewer, or a smaller scale`,
      );
    this.budget.take(bytes);
    const { outgoing } = connectionOf(c);
    const late = setTimeout(() => outgoing.destroy(), this.timeout + PATIENCE + (1000 * bytes) / SLOWEST);
    whenOver(c, () => {
      clearTimeout(late);
      this.budget.giveBack(bytes);
    });
  }
}
