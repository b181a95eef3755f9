// Damage to files: bytes, numbers of every width, words of texts, whole blocks; and checksums made good again, so that a
// reader looks past them.
import { crc32 } from "../../../dist/formats/crc32.js";

/** Marsaglia's xorshift with 32 bits: whole numbers below n. */
export const generator = (seed) => {
  let x = seed | 0 || 1;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
};

const pick = (below, list) => list[below(list.length)];

const NUMBERS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  255n,
  256n,
  511n,
  512n,
  10_000n,
  65_535n,
  65_536n,
  20_000n,
  16_770_000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n - 512n,
];

/** Bytes that mean something in some format: marks, calls, brackets, digits, the ends of ranges. */
const TELLING = [
  0, 1, 2, 4, 6, 8, 0x0a, 0x20, 0x22, 0x26, 0x27, 0x28, 0x2a, 0x2c, 0x2d, 0x2e, 0x30, 0x37, 0x39, 0x3a, 0x4b, 0x4c,
  0x50, 0x52, 0x53, 0x5b, 0x5d, 0x62, 0x68, 0x71, 0x74, 0x78, 0x7b, 0x7d, 0x7f, 0x80, 0x85, 0x8b, 0x8d, 0x94, 0x95,
  0xfe, 0xff,
];

const WORDS = [
  "-1",
  "0",
  "1e9",
  "1e308",
  "-0",
  "NaN",
  "null",
  "true",
  "2000000000",
  "9007199254740993",
  "[]",
  "{}",
  '""',
  "[[",
  "*a",
  "&a",
  "<<: *a",
  "!!binary",
  "!!set",
  "__proto__",
  "\u2028",
  "F32",
  "BF16",
  "O",
  "<f8",
  "path=../../x",
  "size=-512",
  "'",
  '"',
  "\n- ",
  "\n? ",
  "%YAML 1.1\n---\n",
];

const flips = (bytes, below) => {
  const out = Buffer.from(bytes);
  for (let n = 1 + below(4); n > 0 && out.length > 0; n--)
    out[below(out.length)] = below(2) === 0 ? pick(below, TELLING) : below(256);
  return out;
};

/** Another number in place of one; half of the time at one of `spots`, where sizes stand. */
const number = (bytes, below, _other, spots = []) => {
  const width = pick(below, [1, 2, 4, 4, 8, 8]);
  if (bytes.length < width) return flips(bytes, below);
  const [known, anywhere] = [spots.filter((at) => at + width <= bytes.length), below(bytes.length - width + 1)];
  const out = Buffer.from(bytes);
  const digits = Buffer.alloc(8);
  digits.writeBigUInt64LE(pick(below, NUMBERS));
  const field = digits.subarray(0, width);
  if (below(2) === 0) field.reverse();
  field.copy(out, known.length > 0 && below(2) === 0 ? pick(below, known) : anywhere);
  return out;
};

const cut = (bytes, below) => Buffer.from(bytes.subarray(0, below(bytes.length + 1)));

const splice = (bytes, below, other) =>
  Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1))]);

/** A piece of it once more, in place of another or between. */
const copy = (bytes, below) => {
  const length = below(Math.min(512, bytes.length) + 1);
  const [from, to] = [below(bytes.length - length + 1), below(bytes.length - length + 1)];
  const piece = bytes.subarray(from, from + length);
  return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(below(2) === 0 ? to : to + length)]);
};

/** Many times the same few bytes. */
const repeat = (bytes, below) => {
  const length = 1 + below(Math.min(16, bytes.length));
  const from = below(Math.max(1, bytes.length - length));
  const piece = bytes.subarray(from, from + length);
  const times = pick(below, [2, 10, 100, 1000, 10_000]);
  return Buffer.concat([bytes.subarray(0, from), ...Array(times).fill(piece), bytes.subarray(from)]);
};

/** A word or a number of a text, if it has one, replaced. */
const word = (bytes, below) => {
  const text = bytes.toString("latin1");
  const found = [...text.slice(0, 4096).matchAll(/-?\d+|[A-Za-z_']+|[[\]{}:,]/g)];
  if (found.length === 0) return number(bytes, below);
  const { index, 0: old } = pick(below, found);
  const replacement = below(3) === 0 ? String(pick(below, NUMBERS)) : pick(below, WORDS);
  const rest = below(4) === 0 ? text.slice(index) : text.slice(index + old.length);
  return Buffer.from(text.slice(0, index) + replacement + rest, "latin1");
};

/** A number of a fixed width in octal digits, as tars have it. */
const octal = (bytes, below) => {
  if (bytes.length < 512) return number(bytes, below);
  const out = Buffer.from(bytes);
  const header = 512 * below(Math.floor(bytes.length / 512));
  const [at, width] = pick(below, [
    [124, 12],
    [124, 12],
    [100, 8],
    [136, 12],
    [148, 8],
  ]);
  const value = pick(below, NUMBERS)
    .toString(8)
    .slice(-(width - 1));
  out.write(
    `${(below(5) === 0 ? "-" : "") + value}`.padStart(width - 1, "0").slice(0, width - 1),
    header + at,
    "latin1",
  );
  return out;
};

const BINARY = [flips, flips, number, number, number, cut, splice, copy, repeat, word];
const TEXT = [word, word, word, word, flips, cut, splice, copy, repeat];

/** Damages bytes one to three times. */
export const mutate = (bytes, below, other, kind, spots) => {
  const mutations = kind === "text" ? TEXT : kind === "tar" ? [...BINARY, octal, octal, octal] : BINARY;
  let out = Buffer.from(bytes);
  for (let n = 1 + below(3); n > 0; n--) out = pick(below, mutations)(out, below, Buffer.from(other), spots(out));
  return out;
};

/** Every block that may be a header gets the checksum that it needs. */
export const fixTar = (bytes) => {
  const out = Buffer.from(bytes);
  for (let at = 0; at + 512 <= out.length; at += 512) {
    const header = out.subarray(at, at + 512);
    if (header.toString("latin1", 257, 262) !== "ustar") continue;
    header.write("        ", 148, "latin1");
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return out;
};

/** Every chunk that is whole gets the checksum that it needs. */
export const fixPng = (bytes) => {
  const out = Buffer.from(bytes);
  for (let at = 8; at + 12 <= out.length; ) {
    const end = at + 8 + out.readUInt32BE(at);
    if (end + 4 > out.length) break;
    out.writeUInt32BE(crc32(out.subarray(at + 4, end)) >>> 0, end);
    at = end + 4;
  }
  return out;
};

/** A safetensors file whose length and tensors fit its header again, where the damage is in the JSON. */
export const fixSafetensors = (bytes) => {
  const open = bytes.indexOf(0x7b);
  const close = bytes.lastIndexOf(0x7d);
  if (open < 0 || close < open) return bytes;
  const json = bytes.subarray(open, close + 1);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, bytes.subarray(close + 1)]);
};
