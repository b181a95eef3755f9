import type { FileHandle } from "node:fs/promises";
import { UserError } from "../errors.js";
import { shown } from "../formats/randomAccess.js";

/** A file inside a tar: its name and where its bytes lie. */
export type Member = { readonly name: string; readonly start: number; readonly size: number };

/** A member with what was made of its text on the way past, where that was asked for. */
export type Listed<T> = Member & { readonly note?: T };

const BLOCK = 512;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.subarray(0, indexOfZero(bytes)));
const indexOfZero = (bytes: Uint8Array): number => {
  const at = bytes.indexOf(0);
  return at < 0 ? bytes.length : at;
};

/** A number as headers hold it: octal text between blanks; NaN for anything else. */
const octal = (field: Uint8Array): number => {
  const digits = text(field).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : Number.NaN;
};

const checksumHolds = (header: Uint8Array): boolean => {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return octal(header.subarray(148, 156)) === sum;
};

/** Sizes are octal text, or big-endian binary when the first byte is 0x80; 0xff would be a negative one. */
const sizeOf = (field: Uint8Array): number => {
  if ((field[0]! & 0x80) === 0) return octal(field);
  return field[0] === 0x80 ? field.subarray(1).reduce((n, byte) => n * 256 + byte, 0) : Number.NaN;
};

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

/** What one array holds everywhere. */
const LARGEST_MEMBER = 2 ** 31 - 1;

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

/** Bytes of a name, and of a header that holds one. */
const LONGEST_NAME = 4096;
const LARGEST_EXTENSION = 2 ** 20;
/** Bytes of a member whose text is asked for, such as a label with a caption. */
const LARGEST_TEXT = 2 ** 20;
const MOST_MEMBERS = 4_000_000;

/** What the records of a pax header say of the next member: `27 path=some/long/name\n`. */
type Extension = { readonly name?: string | undefined; readonly size?: number | undefined; readonly sparse?: boolean };

const parsePax = (bytes: Uint8Array): Extension => {
  const records = `\n${new TextDecoder().decode(bytes)}`;
  const recordOf = (key: string): string | undefined => new RegExp(`\\n\\d+ ${key}=([^\\n]*)\\n`).exec(records)?.[1];
  const size = recordOf("size");
  return {
    name: recordOf("path"),
    size: size === undefined ? undefined : /^\d{1,16}$/.test(size) ? Number(size) : Number.NaN,
    sparse: /\n\d+ GNU\.sparse\./.test(records),
  };
};

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
  return parseHeader(bytes);
};

/** A header with what extensions before it say, checked: its content lies in the file, whatever its fields claim. */
const checkHeader = (header: Header, before: Extension, at: number, total: number, path: string): Header => {
  const { name, size } = { name: before.name ?? header.name, size: before.size ?? header.size };
  const end = at + BLOCK + size;
  if (!Number.isSafeInteger(end))
    throw new UserError(`${path} is damaged at byte ${at}: the size of ${shown(name)} is no whole number of bytes`);
  if (end > total)
    throw new UserError(`${path} is truncated: ${shown(name)} needs bytes up to ${end}, the file has ${total}`);
  if (before.sparse || header.kind === "S")
    throw new UserError(`${path}: ${shown(name)} is stored as a sparse file; pack the tar without --sparse`);
  if (name.length > LONGEST_NAME)
    throw new UserError(
      `${path}: a name has ${name.length} characters, ${shown(name)}; at most ${LONGEST_NAME} are read`,
    );
  return { ...header, name, size };
};

/** Content that is read whole, which must be small. */
const readSmall = async (read: Read, { name, size }: Header, start: number, most: number, path: string) => {
  if (size > most)
    throw new UserError(`${path}: ${shown(name)} has ${size} bytes; at most ${most} are read of its kind`);
  return read(start, size);
};

/** Reads the header of an extension: GNU's long name, or pax records. */
const extended = async (
  before: Extension,
  header: Header,
  readContent: (most: number) => Promise<Uint8Array>,
): Promise<Extension> => {
  if (header.kind === "L") return { ...before, name: text(await readContent(LARGEST_EXTENSION)) };
  if (header.kind !== "x") return before; // of links, or of the archive as a whole
  const { name = before.name, ...others } = parsePax(await readContent(LARGEST_EXTENSION));
  return { ...others, name };
};

/** What is made of the text of small members on the way past. */
export type Notes<T> = { readonly wants: (name: string) => boolean; readonly of: (name: string, text: string) => T };

/**
 * The files of a tar (ustar, with GNU and pax long names and sizes), by walking its headers. Contents are not read, but for
 * the text of members that `notes` wants, at most 1 MiB each. Throws a `UserError` that names the tar when it is
 * truncated, damaged, sparse, or is not one.
 */
export const tarMembers = async <T = never>(file: FileHandle, path: string, notes?: Notes<T>): Promise<Listed<T>[]> => {
  const { size: total } = await file.stat();
  const read = windowed(file);
  const members: Listed<T>[] = [];
  let before: Extension = {};
  for (let at = 0, found = await readHeader(read, 0, total, path); found; ) {
    const isExtension = EXTENSIONS.includes(found.kind);
    const header = checkHeader(found, isExtension ? {} : before, at, total, path);
    const { name, size, kind } = header;
    const start = at + BLOCK;
    const content = (most: number): Promise<Uint8Array> => readSmall(read, header, start, most, path);
    before = isExtension ? await extended(before, header, content) : {};
    if (isFile(kind)) {
      const noted = notes?.wants(name) ? { note: notes.of(name, text(await content(LARGEST_TEXT))) } : {};
      if (members.push({ name, start, size, ...noted }) > MOST_MEMBERS)
        throw new UserError(`${path} has more than ${MOST_MEMBERS} files; make several tars of it`);
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    found = await readHeader(read, at, total, path);
  }
  return members;
};

/** Kinds of headers that belong to the next: long names, long names of links, pax records of it or of all. */
const EXTENSIONS = ["L", "K", "x", "g"];

const isFile = (kind: string): boolean => kind === "0" || kind === "\0";

/** The bytes of a member. Throws a `UserError` that begins with `where` for one of more than `most` bytes. */
export const readMember = async (
  file: FileHandle,
  { start, size }: Member,
  where: string,
  most = LARGEST_MEMBER,
): Promise<Uint8Array> => {
  if (size > most) throw new UserError(`${where} has ${size} bytes; at most ${most} are read`);
  const bytes = await readExactly(file, start, size);
  if (bytes.length < size) throw new UserError(`${where} is truncated: ${bytes.length} of ${size} bytes are there`);
  return bytes;
};
