import { UserError } from "../../errors.js";
import type { Value, Vocabulary } from "./values.js";

/** Bounds that no checkpoint of a network comes near; they keep a hostile file from taking memory or time. */
export const LIMITS = {
  stack: 250_000,
  marks: 1_000,
  memo: 500_000,
  objects: 500_000,
  /** Items that are copied, and entries of dictionaries. */
  items: 1_000_000,
  /** Bytes of an integer, and of a line of text. */
  integer: 256,
  line: 1_000,
} as const;

const UTF8 = new TextDecoder();

/** The state of an unpickling: bytes with a position, a stack with marks, a memo. It computes values and does nothing else. */
export class Machine {
  at = 0;
  readonly stack: Value[] = [];
  readonly marks: number[] = [];
  readonly memo = new Map<number, Value>();
  private objects = 0;
  private items = 0;
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    readonly file: string,
    readonly vocabulary: Vocabulary,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  fail(problem: string): never {
    throw new UserError(`${this.file}: ${problem}`);
  }

  /** Bytes of the next `length`, which must be there. */
  take(length: number): Uint8Array {
    const from = this.skip(length);
    return this.bytes.subarray(from, this.at);
  }

  /** Goes on behind the next `length` bytes; where they begin. */
  private skip(length: number): number {
    const left = this.bytes.length - this.at;
    if (length > left) this.fail(`an instruction at byte ${this.at} claims ${length} bytes; ${left} are left`);
    this.at += length;
    return this.at - length;
  }

  uint8(): number {
    return this.view.getUint8(this.skip(1));
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  /** A length; beyond 2⁵³ it is more than any file has, rounded or not. */
  uint64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }

  float64(): number {
    return this.view.getFloat64(this.skip(8)); // the one number that pickles hold big end first
  }

  text(length: number): string {
    return UTF8.decode(this.take(length));
  }

  line(): string {
    const end = this.bytes.subarray(this.at, this.at + LIMITS.line).indexOf(0x0a);
    if (end < 0) this.fail(`the line at byte ${this.at} does not end within ${LIMITS.line} bytes`);
    const line = this.text(end);
    this.at++;
    return line;
  }

  push(value: Value): void {
    if (this.stack.length >= LIMITS.stack) this.fail(`it has more than ${LIMITS.stack} values on its stack`);
    this.stack.push(value);
  }

  /** Pushes a value that takes memory of its own. */
  create(value: Value): void {
    if (++this.objects > LIMITS.objects) this.fail(`it makes more than ${LIMITS.objects} objects`);
    this.push(value);
  }

  /** Counts items that an instruction copies, so that a short pickle cannot copy a long list again and again. */
  spend(items: number): void {
    this.items += items;
    if (this.items > LIMITS.items) this.fail(`it copies or holds more than ${LIMITS.items} items`);
  }

  pop(): Value {
    if (this.stack.length <= (this.marks.at(-1) ?? 0))
      this.fail(`the instruction before byte ${this.at} takes a value where none is`);
    return this.stack.pop()!;
  }

  /** The last `count` values come off the stack, in the order they were pushed. */
  popMany(count: number): Value[] {
    const from = this.stack.length - count;
    if (from < (this.marks.at(-1) ?? 0))
      this.fail(`the instruction before byte ${this.at} takes ${count} values where fewer are`);
    return this.stack.splice(from);
  }

  /** The value that `pop` would take. */
  top(): Value {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }

  mark(): void {
    if (this.marks.length >= LIMITS.marks) this.fail(`it is nested more than ${LIMITS.marks} deep`);
    this.marks.push(this.stack.length);
  }

  /** The values since the last mark, and the mark, come off the stack. */
  popMark(): Value[] {
    const from = this.marks.pop();
    if (from === undefined) this.fail(`the instruction before byte ${this.at} looks for a mark where none is`);
    return this.stack.splice(from);
  }

  remember(index: number): void {
    if (this.memo.size >= LIMITS.memo) this.fail(`it remembers more than ${LIMITS.memo} values`);
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`it recalls value ${index}, which it has not remembered`);
    this.push(value);
  }
}
