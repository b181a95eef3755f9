import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert, asyncProperty, constantFrom, nat, oneof, string, tuple, uint8Array } from "fast-check";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { readMember, tarMembers } from "./tar.js";

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), "soflow-tar-")), "x.tar");
});
afterAll(() => rm(join(path, ".."), { recursive: true, force: true }));

type File = readonly [name: string, content: Buffer];

const tarOf = async (files: readonly File[]): Promise<Buffer> => {
  const tar = pack();
  for (const [name, content] of files) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** Names and contents found in a tar, by the walk and then by random access. */
const contents = async (bytes: Uint8Array): Promise<File[]> => {
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    const members = await tarMembers(file, "x.tar");
    return await Promise.all(
      members.map(async (member) => [member.name, Buffer.from(await readMember(file, member, member.name))] as const),
    );
  } finally {
    await file.close();
  }
};

/** One 512-byte header, as GNU tar writes it, with the size field as it is given, and content in whole blocks. */
const entryOf = (name: string, kind: string, size: Buffer, content = ""): Buffer => {
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100));
  size.copy(header, 124);
  header.write(`        ${kind}`, 148);
  header.write("ustar  ", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
};

const octal = (size: number): Buffer => Buffer.from(size.toString(8).padStart(11, "0"));

const gnuEntry = (name: string, kind: string, content: string): Buffer =>
  entryOf(name, kind, octal(content.length), content);

test("what another writer packs is found again: any names, sizes around the block and the window", async () => {
  const name = tuple(string({ minLength: 1, maxLength: 200, unit: "grapheme-ascii" }), nat(9)).map(
    ([text, i]) => `${text.replaceAll("/", "_").replaceAll(/[\s\0]/g, "-")}/${i}.bin`,
  );
  const size = nat(70_000).map((n) => (n % 3 === 0 ? n : n % 1025));
  await assert(
    asyncProperty(array(tuple(name, size), { maxLength: 12 }), async (entries) => {
      const files = entries.map(([text, length], i) => [text, Buffer.alloc(length, i + 1)] as const);
      expect(await contents(await tarOf(files))).toEqual(files);
    }),
    { numRuns: 25 },
  );
});

test("GNU long names", async () => {
  const long = `${"deep/".repeat(40)}1.png`;
  const tar = Buffer.concat([
    gnuEntry("././@LongLink", "L", `${long}\0`),
    gnuEntry(long, "0", "first"),
    gnuEntry("2.png", "0", "second"),
    Buffer.alloc(1024),
  ]);
  expect(await contents(tar)).toEqual([
    [long, Buffer.from("first")],
    ["2.png", Buffer.from("second")],
  ]);
});

test("folders are no members", async () => {
  const tar = Buffer.concat([gnuEntry("folder/", "5", ""), gnuEntry("folder/a", "0", "x"), Buffer.alloc(1024)]);
  expect(await contents(tar)).toEqual([["folder/a", Buffer.from("x")]]);
});

test("a tar cut at any byte before its end is refused as truncated", async () => {
  const whole = Buffer.concat([gnuEntry("a", "0", "x".repeat(700)), gnuEntry("b", "0", "y"), Buffer.alloc(1024)]);
  const end = whole.length - 1024 + 512;
  for (const length of [0, 1, 511, 512, 513, 1000, 1211, 1535, 1536, 1537, 2047, 2048, 2049, end - 512, end - 1])
    await expect(contents(whole.subarray(0, length)), `cut to ${length} bytes`).rejects.toThrow(
      /^x\.tar is truncated: /,
    );
  expect(await contents(whole.subarray(0, end))).toHaveLength(2);
});

test("the messages say where a tar is damaged", async () => {
  const entry = gnuEntry("a.png", "0", "x".repeat(600));
  await expect(contents(entry.subarray(0, 700))).rejects.toThrow(
    "x.tar is truncated: a.png needs bytes up to 1112, the file has 700",
  );
  await expect(contents(entry)).rejects.toThrow(
    "x.tar is truncated: it ends at byte 1536 without an end-of-archive block",
  );
  await expect(contents(Buffer.concat([entry, Buffer.alloc(100)]))).rejects.toThrow(
    "x.tar is truncated: it ends inside a header at byte 1536",
  );
  await expect(contents(Buffer.alloc(2048, "text "))).rejects.toThrow(
    "x.tar is not a tar file, or is damaged at byte 0",
  );
});

const END = Buffer.alloc(1024);
const NO_SIZE = "x.tar is damaged at byte 0: the size of a is no whole number of bytes";

test.each([
  ["−512 in octal", Buffer.from("-0000001000\0"), NO_SIZE],
  ["−512 in base 256", Buffer.from([...Array(10).fill(0xff), 0xfe, 0]), NO_SIZE],
  ["2⁸⁸ − 1 in base 256", Buffer.from([0x80, ...Array(11).fill(0xff)]), NO_SIZE],
  ["another first byte", Buffer.from([0xc0, ...Array(11).fill(0)]), NO_SIZE],
  ["no number", Buffer.from("12z\0"), NO_SIZE],
  ["a decimal one", Buffer.from("00000000009\0"), NO_SIZE],
  ["beyond the file", octal(1025), "x.tar is truncated: a needs bytes up to 1537, the file has 1536"],
  [
    "2⁵² in base 256",
    Buffer.from([0x80, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]),
    "x.tar is truncated: a needs bytes up to 4503599627371008, the file has 1536",
  ],
])("a size that is %s is refused at once", async (_, size, message) => {
  await expect(contents(Buffer.concat([entryOf("a", "0", size), END]))).rejects.toThrow(new UserError(message));
});

test("a size in base 256, or in a pax header, is read", async () => {
  const binary = Buffer.alloc(12);
  binary[0] = 0x80;
  binary[11] = 3;
  expect(await contents(Buffer.concat([entryOf("a", "0", binary, "xyz"), END]))).toEqual([["a", Buffer.from("xyz")]]);
  const pax = gnuEntry("p", "x", "10 size=3\n11 path=bb\n");
  const found = await contents(Buffer.concat([pax, entryOf("a", "0", octal(0), "xyz"), END]));
  expect(found).toEqual([["bb", Buffer.from("xyz")]]);
});

test.each([
  [
    "a pax size that is no number",
    [gnuEntry("p", "x", "11 size=-1\n"), gnuEntry("a", "0", "")],
    "x.tar is damaged at byte 1024: the size of a is no whole number of bytes",
  ],
  [
    "a sparse file of GNU's own form",
    [gnuEntry("a", "S", "")],
    "x.tar: a is stored as a sparse file; pack the tar without --sparse",
  ],
  [
    "a sparse file of the pax form",
    [gnuEntry("p", "x", "22 GNU.sparse.major=1\n"), gnuEntry("a", "0", "")],
    "x.tar: a is stored as a sparse file; pack the tar without --sparse",
  ],
  [
    "a long name",
    [gnuEntry("l", "L", "n".repeat(5000)), gnuEntry("a", "0", "")],
    `x.tar: a name has 5000 characters, ${"n".repeat(80)}…; at most 4096 are read`,
  ],
  [
    "an extension of 2 MiB",
    [gnuEntry("p", "x", "x".repeat(2 ** 21))],
    "x.tar: p has 2097152 bytes; at most 1048576 are read of its kind",
  ],
])("%s is refused", async (_, entries, message) => {
  await expect(contents(Buffer.concat([...entries, END]))).rejects.toThrow(new UserError(message));
});

test("text that is asked for has at most 1 MiB", async () => {
  await writeFile(path, Buffer.concat([gnuEntry("a.cls", "0", "1".repeat(2 ** 20 + 1)), END]));
  const file = await open(path);
  await expect(tarMembers(file, "x.tar", { wants: () => true, of: (_, text) => text })).rejects.toThrow(
    "x.tar: a.cls has 1048577 bytes; at most 1048576 are read of its kind",
  );
  await file.close();
});

test("a header of any size, kind and extension ends, with members inside of the file or one UserError", async () => {
  const field = oneof(
    uint8Array({ minLength: 12, maxLength: 12 }),
    string({ maxLength: 12, unit: constantFrom("0", "7", "1", "-", " ", "\0", "9") }).map((text) => Buffer.from(text)),
    nat(3000).map(octal),
  );
  const entry = tuple(
    string({ maxLength: 20 }),
    constantFrom("0", "\0", "x", "g", "L", "K", "5", "S"),
    field,
    nat(600),
  );
  await assert(
    asyncProperty(array(entry, { maxLength: 6 }), async (entries) => {
      const bytes = Buffer.concat([
        ...entries.map(([name, kind, size, n]) => entryOf(name, kind, Buffer.from(size), "9 size=1\n".repeat(n / 9))),
        END,
      ]);
      const found = await contents(bytes).catch((thrown: unknown) => thrown);
      if (found instanceof UserError) expect(found.message).toMatch(/^x\.tar[^\n]+$/);
      else for (const [, content] of found as File[]) expect(content.length).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 300 },
  );
});
