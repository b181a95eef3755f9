import { UserError } from "../errors.js";
import { type RandomAccess, shown } from "./randomAccess.js";
import type { ZipMember } from "./zip.js";

const END = 0x06054b50;
const END_BYTES = 22;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_BYTES = 20;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const UTF8 = new TextDecoder();
const LONGEST_COMMENT = 0xffff;
const ZIP64_EXTRA = 0x0001;
const ENCRYPTED = 0x2041; // bits 0, 6 and 13
const METHODS = new Map<number, ZipMember["method"]>([
  [0, "stored"],
  [8, "deflated"],
]);

const LARGEST_DIRECTORY = 64 * 2 ** 20;

/** Where the directory lies. */
type Place = { readonly offset: number; readonly size: number; readonly count: number };
type Entry = Omit<ZipMember, "limit">;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** An integer of 64 bits as a number; beyond 2⁵³ it lies outside of every file. */
const uint64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** The members of an archive by name, in the order of its directory. */
export const readDirectory = async (source: RandomAccess): Promise<ReadonlyMap<string, ZipMember>> => {
  const place = await findDirectory(source);
  const bytes = await source.read(place.offset, place.size);
  if (bytes.length < place.size) throw new UserError(`${source.name} is truncated: its directory is not whole`);
  return withLimits(source, parseEntries(source, bytes, place), place.offset);
};

const findDirectory = async (source: RandomAccess): Promise<Place> => {
  const { name, size } = source;
  const from = Math.max(0, size - END_BYTES - LONGEST_COMMENT);
  const tail = await source.read(from, size - from);
  const view = viewOf(tail);
  const isEnd = (at: number): boolean =>
    view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === tail.length;
  let at = tail.length - END_BYTES;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) throw new UserError(`${name} is not a zip archive, or is truncated: it has no end record`);
  const wide = await findDirectory64(source, from + at);
  const place = wide?.place ?? {
    count: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  const end = wide?.end ?? from + at;
  if (place.offset + place.size !== end)
    throw new UserError(
      `${name}: its directory should end at byte ${end}, it is said to end at ${place.offset + place.size}; it is truncated or not a zip archive`,
    );
  if (place.size > LARGEST_DIRECTORY) throw new UserError(`${name}: its directory would have ${place.size} bytes`);
  return place;
};

/** The wide end record that archives beyond 4 GB have, and those of PyTorch always. */
const findDirectory64 = async (
  source: RandomAccess,
  end: number,
): Promise<{ place: Place; end: number } | undefined> => {
  if (end < LOCATOR64_BYTES) return undefined;
  const locator = viewOf(await source.read(end - LOCATOR64_BYTES, LOCATOR64_BYTES));
  if (locator.byteLength < LOCATOR64_BYTES || locator.getUint32(0, true) !== LOCATOR64) return undefined;
  const at = uint64(locator, 8);
  const bytes = at + END64_BYTES <= end ? await source.read(at, END64_BYTES) : new Uint8Array(0);
  const view = viewOf(bytes);
  if (bytes.length < END64_BYTES || view.getUint32(0, true) !== END64)
    throw new UserError(`${source.name} has no zip64 end record at byte ${at}, where its locator points`);
  return { place: { count: uint64(view, 32), size: uint64(view, 40), offset: uint64(view, 48) }, end: at };
};

const parseEntries = (source: RandomAccess, bytes: Uint8Array, { count }: Place): Entry[] => {
  const { name } = source;
  if (count * ENTRY_BYTES > bytes.length)
    throw new UserError(`${name}: its directory says ${count} members; its ${bytes.length} bytes cannot hold them`);
  const view = viewOf(bytes);
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const whole = at + ENTRY_BYTES <= bytes.length && view.getUint32(at, true) === ENTRY;
    const next = whole ? at + ENTRY_BYTES + variableBytes(view, at) : Number.POSITIVE_INFINITY;
    if (next > bytes.length) throw new UserError(`${name}: entry ${i} of its directory is malformed`);
    entries.push(parseEntry(source, bytes.subarray(at, next)));
    at = next;
  }
  if (at !== bytes.length) throw new UserError(`${name}: ${bytes.length - at} bytes follow the last directory entry`);
  return entries;
};

/** Name, extra fields and comment. */
const variableBytes = (view: DataView, at: number): number =>
  view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);

const parseEntry = (source: RandomAccess, bytes: Uint8Array): Entry => {
  const view = viewOf(bytes);
  const named = view.getUint16(28, true);
  const name = UTF8.decode(bytes.subarray(ENTRY_BYTES, ENTRY_BYTES + named));
  const refuse = (problem: string): UserError => new UserError(`${source.name}: member ${shown(name)} ${problem}`);
  if (!isInside(name)) throw refuse("has a name that leads out of the archive");
  if (view.getUint16(8, true) & ENCRYPTED) throw refuse("is encrypted");
  const method = METHODS.get(view.getUint16(10, true));
  if (!method) throw refuse(`is packed by method ${view.getUint16(10, true)}; stored and deflated ones are read`);
  const extra = bytes.subarray(ENTRY_BYTES + named, ENTRY_BYTES + named + view.getUint16(30, true));
  const wide = widened(view, extra);
  if (!wide) throw refuse("lacks the 64-bit sizes that its entry refers to");
  if (method === "stored" && wide.packed !== wide.size)
    throw refuse(`is stored, yet ${wide.packed} bytes are to become ${wide.size}`);
  return { name, method, crc: view.getUint32(16, true), ...wide };
};

/** Sizes and offset of an entry; those that do not fit into 32 bits stand in the zip64 extra field, in this order. */
const widened = (view: DataView, extra: Uint8Array): { size: number; packed: number; header: number } | undefined => {
  const narrow = [view.getUint32(24, true), view.getUint32(20, true), view.getUint32(42, true)];
  const field = viewOf(findExtra(extra, ZIP64_EXTRA));
  let at = 0;
  const wide = narrow.map((value) => {
    if (value !== 0xffffffff) return value;
    at += 8;
    return at <= field.byteLength ? uint64(field, at - 8) : undefined;
  });
  const [size, packed, header] = wide;
  return size === undefined || packed === undefined || header === undefined ? undefined : { size, packed, header };
};

const findExtra = (extra: Uint8Array, wanted: number): Uint8Array => {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === wanted) return extra.subarray(at + 4, at + 4 + size);
    at += 4 + size;
  }
  return new Uint8Array(0);
};

/** Names are only looked up and never become paths; one that tries to is no work of PyTorch's. */
const isInside = (name: string): boolean =>
  name !== "" &&
  !/[\0\\:]/.test(name) &&
  !name.startsWith("/") &&
  !name.split("/").some((part) => part === ".." || part === ".");

/** Members with the byte that each must end before: no two may share bytes, so unpacking cannot multiply them. */
const withLimits = (source: RandomAccess, entries: readonly Entry[], end: number): ReadonlyMap<string, ZipMember> => {
  const limits = new Map<Entry, number>();
  const ordered = [...entries].sort((a, b) => a.header - b.header);
  ordered.forEach((entry, i) => {
    const limit = ordered[i + 1]?.header ?? end;
    const least = entry.header + LOCAL_BYTES + entry.packed;
    if (least > limit)
      throw new UserError(
        `${source.name}: member ${shown(entry.name)} takes bytes ${entry.header} to ${least}, over what begins at ${limit}`,
      );
    limits.set(entry, limit);
  });
  const members = new Map(entries.map((entry) => [entry.name, { ...entry, limit: limits.get(entry)! }]));
  const twice = entries.find((entry) => members.get(entry.name)!.header !== entry.header);
  if (twice) throw new UserError(`${source.name}: two members are called ${shown(twice.name)}`);
  return members;
};
