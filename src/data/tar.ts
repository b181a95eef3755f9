import type { FileHandle } from "node:fs/promises";
import { UserError } from "../errors.js";

/** A file inside a tar: its name and where its bytes lie. */
export type Member = { readonly name: string; readonly start: number; readonly size: number };

const BLOCK = 512;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.subarray(0, indexOfZero(bytes)));
const indexOfZero = (bytes: Uint8Array): number => {
  const at = bytes.indexOf(0);
  return at < 0 ? bytes.length : at;
};

const checksumHolds = (header: Uint8Array): boolean => {
  const stored = Number.parseInt(text(header.subarray(148, 156)).trim(), 8);
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return stored === sum;
};

/** Sizes are octal text, or big-endian binary when the first bit is set. */
const sizeOf = (field: Uint8Array): number =>
  field[0]! & 0x80
    ? field.subarray(4).reduce((n, byte) => n * 256 + byte, 0)
    : Number.parseInt(text(field).trim() || "0", 8);

const readExactly = async (file: FileHandle, start: number, size: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await file.read(bytes, done, size - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
};

/** The path that a pax header gives, if it gives one: records of the form `27 path=some/long/name\n`. */
const paxPath = (bytes: Uint8Array): string | undefined =>
  /(?:^|\n)\d+ path=([^\n]*)\n/.exec(new TextDecoder().decode(bytes))?.[1];

/**
 * The files of a tar (ustar, with GNU and pax long names), by walking its headers; contents are not read.
 * Throws a `UserError` that names the tar when it is truncated or is not one.
 */
export const tarMembers = async (file: FileHandle, path: string): Promise<Member[]> => {
  const { size: total } = await file.stat();
  const members: Member[] = [];
  let longName: string | undefined;
  for (let at = 0; ; ) {
    if (at >= total)
      throw new UserError(`${path} is truncated: it ends at byte ${total} without an end-of-archive block`);
    const header = await readExactly(file, at, BLOCK);
    if (header.length < BLOCK) throw new UserError(`${path} is truncated: it ends inside a header at byte ${at}`);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumHolds(header)) throw new UserError(`${path} is not a tar file, or is damaged at byte ${at}`);
    const [size, start, kind] = [sizeOf(header.subarray(124, 136)), at + BLOCK, String.fromCharCode(header[156]!)];
    const prefix = text(header.subarray(345, 500));
    const name = longName ?? (prefix ? `${prefix}/` : "") + text(header.subarray(0, 100));
    if (start + size > total)
      throw new UserError(`${path} is truncated: ${name} needs bytes up to ${start + size}, the file has ${total}`);
    if (kind === "L") longName = text(await readExactly(file, start, size));
    else if (kind === "x") longName = paxPath(await readExactly(file, start, size)) ?? longName;
    else {
      if (kind === "0" || kind === "\0") members.push({ name, start, size });
      longName = undefined;
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return members;
};

/** The bytes of a member. */
export const readMember = (file: FileHandle, { start, size }: Member): Promise<Uint8Array> =>
  readExactly(file, start, size);
