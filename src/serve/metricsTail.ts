import type { OpenedFile } from "./openFile.js";

/** A line of metrics. */
export type Row = Readonly<Record<string, number>>;

/** Bytes that are read and parsed at a time. */
const PIECE = 2 ** 20;
/** Longest line: what is longer is no line of metrics. */
const LONGEST = 2 ** 16;
/** Most rows that are kept, and most numbers of one. */
const [MOST_ROWS, MOST_NUMBERS] = [10_000, 128];

const isRow = (value: unknown): value is Row =>
  typeof value === "object" &&
  value !== null &&
  "step" in value &&
  Number.isSafeInteger(value.step) &&
  Object.keys(value).length <= MOST_NUMBERS;

/** The row of a line; none where it was torn by a kill, or by hand. */
export const parseRow = (line: string): Row[] => {
  try {
    const value: unknown = JSON.parse(line);
    return isRow(value) ? [value] : [];
  } catch {
    return [];
  }
};

/** The rows of a growing metrics file; each call reads only what was added since the one before. */
export class MetricsTail {
  private rows: Row[] = [];
  private newest: Row | undefined;
  private stride = 1;
  private seen = 0;
  private offset = 0;
  private rest = Buffer.alloc(0);
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly open: () => Promise<OpenedFile | undefined>,
    /** Rows that stay when others are thinned out. */
    private readonly isKept: (row: Row) => boolean,
  ) {}

  /** Reads one after another: two at once would take the same bytes twice. */
  read(): Promise<readonly Row[]> {
    const mine = this.turn.then(() => this.readOn());
    this.turn = mine.catch(() => {});
    return mine;
  }

  private async readOn(): Promise<readonly Row[]> {
    const file = await this.open();
    if (file === undefined) return [];
    const { handle, size } = file;
    try {
      if (size < this.offset) this.restart(); // a resumed run rewrote it
      const buffer = Buffer.alloc(Math.min(PIECE, Math.max(0, size - this.offset)));
      while (this.offset < size) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - this.offset), this.offset);
        if (bytesRead === 0) break;
        this.offset += bytesRead;
        this.take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
    const { newest, rows } = this;
    return newest === undefined || rows.at(-1) === newest ? rows : [...rows, newest];
  }

  private restart(): void {
    Object.assign(this, { rows: [], newest: undefined, stride: 1, seen: 0, offset: 0, rest: Buffer.alloc(0) });
  }

  private take(bytes: Buffer): void {
    const all = Buffer.concat([this.rest, bytes]);
    const end = all.lastIndexOf(10) + 1;
    this.rest = all.length - end > LONGEST ? Buffer.alloc(0) : Buffer.from(all.subarray(end));
    for (const line of all.toString("utf8", 0, end).split("\n"))
      if (line.length <= LONGEST) for (const row of parseRow(line)) this.add(row);
  }

  /** Keeps every row; of very many every second, every fourth and so on. */
  private add(row: Row): void {
    this.newest = row;
    if (this.seen++ % this.stride === 0 || this.isKept(row)) this.rows.push(row);
    if (this.rows.length <= MOST_ROWS) return;
    this.stride *= 2;
    const halved = this.rows.filter((one, i) => i % 2 === 0 || this.isKept(one));
    this.rows = halved.length > MOST_ROWS / 2 ? halved.filter((_, i) => i % 2 === 0) : halved;
  }
}
