import { crc32 } from "../../src/formats/crc32.js";

/** A member as a test wants it written; what is not given is as it should be. */
export type Written = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  /** Bytes once unpacked, as the directory states them. */
  readonly size?: number;
  readonly flags?: number;
  readonly localName?: string;
  /** Where the directory says that the member begins. */
  readonly offset?: number;
  readonly crc?: number;
  /** Whether sizes and offset stand in the zip64 field, as they must beyond 4 GB. */
  readonly wide?: boolean;
};

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

export const concat = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** Little-endian numbers by width in bytes. */
export const le = (width: number, value: number | bigint): Uint8Array =>
  Uint8Array.from({ length: width }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));

const local = ({ name, localName = name, bytes, method = 0 }: Written): Uint8Array => {
  const named = encode(localName);
  return concat(
    le(4, 0x04034b50),
    le(2, 20),
    le(2, 0),
    le(2, method),
    new Uint8Array(16),
    le(2, named.length),
    le(2, 0),
    named,
    bytes,
  );
};

const FULL = 0xffffffff;

const entry = (member: Written, at: number): Uint8Array => {
  const { name, bytes, method = 0, size = bytes.length, flags = 0, offset = at, wide = false } = member;
  const { crc = method === 0 ? crc32(bytes) : 0 } = member;
  const named = encode(name);
  const numbers = [bytes.length, size, offset].map((value) => le(4, wide ? FULL : value)) as Uint8Array[];
  const field = wide ? concat(le(2, 1), le(2, 24), le(8, size), le(8, bytes.length), le(8, offset)) : new Uint8Array(0);
  const other = concat(le(2, 0x4246), le(2, 3), [1, 2, 3]); // a field of PyTorch's, to be stepped over
  const extra = wide ? concat(other, field) : field;
  const head = [le(4, 0x02014b50), le(2, 20), le(2, 20), le(2, flags), le(2, method), le(4, 0), le(4, crc)];
  const lengths = [le(2, named.length), le(2, extra.length), new Uint8Array(10)];
  return concat(...head, numbers[0]!, numbers[1]!, ...lengths, numbers[2]!, named, extra);
};

/** A zip archive of these members, with the changes that the test makes to its end record. */
export const archive = (
  members: readonly Written[],
  end: { count?: number; comment?: Uint8Array } = {},
): Uint8Array => {
  const locals = members.map(local);
  const starts = locals.map((_, i) => locals.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const body = concat(...locals);
  const directory = concat(...members.map((member, i) => entry(member, starts[i]!)));
  const { count = members.length, comment = new Uint8Array(0) } = end;
  const record = [le(4, 0x06054b50), le(4, 0), le(2, count), le(2, count), le(4, directory.length), le(4, body.length)];
  return concat(body, directory, ...record, le(2, comment.length), comment);
};

/** A file of torch.save with this pickle and these storages. */
export const torchFile = (
  pickle: Uint8Array | readonly number[],
  storages: Readonly<Record<string, Uint8Array>> = {},
  more: readonly Written[] = [],
): Uint8Array =>
  archive([
    { name: "a/data.pkl", bytes: Uint8Array.from(pickle) },
    { name: "a/byteorder", bytes: encode("little") },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `a/data/${key}`, bytes })),
    ...more,
  ]);
