import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert, asyncProperty, nat, string, tuple } from "fast-check";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
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

/** One 512-byte header, as GNU tar writes it, and its content in whole blocks. */
const gnuEntry = (name: string, kind: string, content: string): Buffer => {
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100));
  header.write(content.length.toString(8).padStart(11, "0"), 124);
  header.write(`        ${kind}`, 148);
  header.write("ustar  ", 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
};

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
