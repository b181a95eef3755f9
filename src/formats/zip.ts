import { Inflate } from "fflate";
import { UserError } from "../errors.js";
import { crc32 } from "./crc32.js";
import { type RandomAccess, shown } from "./randomAccess.js";
import { readDirectory } from "./zipDirectory.js";

/** A file in an archive. */
export type ZipMember = {
  readonly name: string;
  readonly method: "stored" | "deflated";
  /** Bytes in the archive, and once unpacked. */
  readonly packed: number;
  readonly size: number;
  /** CRC-32 of the unpacked bytes; 0 where the writer did not compute it. */
  readonly crc: number;
  /** Where its local header begins, and where the next one (or the directory) does: it must lie between. */
  readonly header: number;
  readonly limit: number;
};

/** An archive whose members are read one by one. */
export type Zip = {
  readonly name: string;
  readonly members: ReadonlyMap<string, ZipMember>;
  /** Where the bytes of a stored member begin. */
  readonly locate: (member: ZipMember) => Promise<number>;
  /** All bytes of a small member, unpacked and checked; refused when they would be more than `most`. */
  readonly unpack: (member: ZipMember, most: number) => Promise<Uint8Array>;
  /** The unpacked bytes of a large deflated member in order, in pieces of a few megabytes at most. */
  readonly pieces: (member: ZipMember) => AsyncGenerator<Uint8Array>;
};

const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** Bytes that one deflated byte can become. */
const BEST_RATIO = 1032;
const UTF8 = new TextDecoder();
/** Bytes given to the decompressor at once; each gives at most 1032. */
const PIECE = 4096;

/**
 * Opens a zip archive, with zip64. Strict: one disk, no encryption, members that do not overlap, names that stay inside.
 * Throws a `UserError` that names the file and what is wrong with it.
 */
export const openZip = async (source: RandomAccess): Promise<Zip> => {
  const members = await readDirectory(source);
  const locate = (member: ZipMember) => dataStart(source, member);
  return {
    name: source.name,
    members,
    locate,
    unpack: (member, most) => unpack(source, member, most),
    pieces: (member) => inflated(source, member),
  };
};

const refuse = (source: RandomAccess, { name }: ZipMember, problem: string): UserError =>
  new UserError(`${source.name}: member ${shown(name)} ${problem}`);

const dataStart = async (source: RandomAccess, member: ZipMember): Promise<number> => {
  const bytes = await source.read(member.header, LOCAL_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < LOCAL_BYTES || view.getUint32(0, true) !== LOCAL)
    throw refuse(source, member, `has no header at byte ${member.header}`);
  const named = view.getUint16(26, true);
  const local = UTF8.decode(await source.read(member.header + LOCAL_BYTES, named));
  if (local !== member.name) throw refuse(source, member, `is called ${shown(local)} in its own header`);
  const start = member.header + LOCAL_BYTES + named + view.getUint16(28, true);
  if (start + member.packed > member.limit)
    throw refuse(source, member, `reaches to byte ${start + member.packed}, over what begins at ${member.limit}`);
  return start;
};

const unpack = async (source: RandomAccess, member: ZipMember, most: number): Promise<Uint8Array> => {
  const { size, packed } = member;
  if (Math.max(size, packed) > most)
    throw refuse(source, member, `has ${Math.max(size, packed)} bytes; at most ${most} are read`);
  const raw = await source.read(await dataStart(source, member), packed);
  if (raw.length < packed) throw refuse(source, member, `is truncated: ${raw.length} of ${packed} bytes are there`);
  const bytes = member.method === "stored" ? raw : inflate(source, member, raw);
  requireChecksum(source, member, bytes);
  return bytes;
};

/** Throws when the bytes of a member are not those that were written. */
export const requireChecksum = (
  source: { readonly name: string },
  { name, crc }: ZipMember,
  bytes: Uint8Array,
): void => {
  if (crc !== 0 && crc32(bytes) !== crc)
    throw new UserError(`${source.name} is damaged: the checksum of member ${shown(name)} does not match`);
};

/** Holds the stated size against what deflate can do, before room is made for it. */
const requirePossible = (source: RandomAccess, member: ZipMember): void => {
  const { size, packed } = member;
  if (size > BEST_RATIO * packed)
    throw refuse(source, member, `states ${size} bytes, which ${packed} packed ones cannot hold`);
};

/** Unpacks small pieces as they are pushed, and refuses the first byte too many. */
const inflater = (source: RandomAccess, member: ZipMember, take: (piece: Uint8Array) => void) => {
  let done = 0;
  const stream = new Inflate((piece) => {
    done += piece.length;
    if (done > member.size)
      throw refuse(source, member, `unpacks to more than the ${member.size} bytes that it states`);
    take(piece);
  });
  const push = (raw: Uint8Array, last: boolean): void => {
    try {
      stream.push(raw, last);
    } catch (thrown) {
      if (thrown instanceof UserError) throw thrown;
      throw refuse(source, member, "is damaged: it cannot be unpacked");
    }
  };
  const end = (): void => {
    if (done !== member.size) throw refuse(source, member, `unpacks to ${done} bytes; it states ${member.size}`);
  };
  return { push, end };
};

/** Unpacks in small pieces and stops at the first byte too many. */
const inflate = (source: RandomAccess, member: ZipMember, raw: Uint8Array): Uint8Array => {
  requirePossible(source, member);
  const out = new Uint8Array(member.size);
  let done = 0;
  const { push, end } = inflater(source, member, (piece) => {
    out.set(piece, done);
    done += piece.length;
  });
  for (let at = 0; at < raw.length; at += PIECE) push(raw.subarray(at, at + PIECE), at + PIECE >= raw.length);
  end();
  return out;
};

async function* inflated(source: RandomAccess, member: ZipMember): AsyncGenerator<Uint8Array> {
  requirePossible(source, member);
  const { packed } = member;
  const start = await dataStart(source, member);
  const found: Uint8Array[] = [];
  const { push, end } = inflater(source, member, (piece) => found.push(piece));
  for (let at = 0; at < packed; at += PIECE) {
    const raw = await source.read(start + at, Math.min(PIECE, packed - at));
    push(raw, at + PIECE >= packed);
    yield* found.splice(0);
  }
  end();
}
