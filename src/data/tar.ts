import type { FileHandle } from "node:fs/promises";
import { UserError } from "../errors.js";

/** A file inside a tar: its name and where its bytes lie. */
export type Member = { readonly name: string; readonly start: number; readonly size: number };

/** A member whose text was read on the way past, being small and asked for. */
export type Listed = Member & { readonly text?: string };

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

type Read = (start: number, size: number) => Promise<Uint8Array>;

/** Bytes fetched at once while headers are walked: small members share a fetch, large ones are stepped over. */
const WINDOW = 2 ** 16;

/** Reads in ascending order, served from one fetch where they lie close together. */
const windowed = (file: FileHandle): Read => {
  let from = 0;
  let held: Uint8Array = new Uint8Array(0);
  return async (start, size) => {
    if (start < from || start + size > from + held.length) {
      held = await readExactly(file, start, Math.max(size, WINDOW));
      from = start;
    }
    return held.subarray(start - from, start - from + size);
  };
};

/** The path that a pax header gives, if it gives one: records of the form `27 path=some/long/name\n`. */
const paxPath = (bytes: Uint8Array): string | undefined =>
  /(?:^|\n)\d+ path=([^\n]*)\n/.exec(new TextDecoder().decode(bytes))?.[1];

type Header = { readonly name: string; readonly size: number; readonly kind: string };

const parseHeader = (header: Uint8Array): Header => {
  const ustar = text(header.subarray(257, 263)) === "ustar"; // GNU's own form keeps other things where the prefix is
  const prefix = ustar ? text(header.subarray(345, 500)) : "";
  return {
    name: (prefix ? `${prefix}/` : "") + text(header.subarray(0, 100)),
    size: sizeOf(header.subarray(124, 136)),
    kind: String.fromCharCode(header[156]!),
  };
};

/** The header at byte `at`, or none where the archive ends. */
const readHeader = async (read: Read, at: number, total: number, path: string): Promise<Header | undefined> => {
  if (at >= total)
    throw new UserError(`${path} is truncated: it ends at byte ${total} without an end-of-archive block`);
  const bytes = await read(at, BLOCK);
  if (bytes.length < BLOCK) throw new UserError(`${path} is truncated: it ends inside a header at byte ${at}`);
  if (bytes.every((byte) => byte === 0)) return undefined;
  if (!checksumHolds(bytes)) throw new UserError(`${path} is not a tar file, or is damaged at byte ${at}`);
  const header = parseHeader(bytes);
  const end = at + BLOCK + header.size;
  if (end > total)
    throw new UserError(`${path} is truncated: ${header.name} needs bytes up to ${end}, the file has ${total}`);
  return header;
};

/**
 * The files of a tar (ustar, with GNU and pax long names), by walking its headers. Contents are not read, but for the
 * text of members that `wantsText` names. Throws a `UserError` that names the tar when it is truncated or is not one.
 */
export const tarMembers = async (
  file: FileHandle,
  path: string,
  wantsText: (name: string) => boolean = () => false,
): Promise<Listed[]> => {
  const { size: total } = await file.stat();
  const read = windowed(file);
  const members: Listed[] = [];
  let longName: string | undefined;
  for (let at = 0, header = await readHeader(read, 0, total, path); header; ) {
    const { size, kind } = header;
    const [name, start] = [longName ?? header.name, at + BLOCK];
    if (kind === "L") longName = text(await read(start, size));
    else if (kind === "x") longName = paxPath(await read(start, size)) ?? longName;
    else {
      longName = undefined;
      const content = isFile(kind) && wantsText(name) ? { text: text(await read(start, size)) } : {};
      if (isFile(kind)) members.push({ name, start, size, ...content });
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    header = await readHeader(read, at, total, path);
  }
  return members;
};

const isFile = (kind: string): boolean => kind === "0" || kind === "\0";

/** The bytes of a member. */
export const readMember = (file: FileHandle, { start, size }: Member): Promise<Uint8Array> =>
  readExactly(file, start, size);
