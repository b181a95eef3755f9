import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { fromBytes } from "../../src/formats/randomAccess.js";
import { openTorch } from "../../src/formats/torch/checkpoint.js";
import { openZip } from "../../src/formats/zip.js";
import { sizeOf } from "../../src/graph/dtype.js";
import { concat, torchFile } from "./archive.js";
import { call, dict, integer, op, pickle, storage, tensor, text, tuple } from "./pickle.js";

/** Damaged files: whatever a changed byte makes of one, it is read or refused by a `UserError`, soon and in little memory. */

/** A sample of what scripts/check/fuzz.mjs does with every format, and one input at a time. */
const INPUTS = 20_000;
/** No input may run without end; how fast the machine is decides nothing. */
const LONGEST_MS = 60_000;
const LARGEST_GROWTH = 400 * 2 ** 20;

/** Marsaglia's xorshift with 32 bits: whole numbers below n. */
const generator = (seed: number) => {
  let x = seed;
  return (n: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
};
type Below = ReturnType<typeof generator>;

const FOLDER = new URL("../data/torch/", import.meta.url);

/** Bytes that mean something in a pickle or a zip: lengths, marks, calls, the ends of ranges. */
const TELLING = [
  0, 1, 0x28, 0x2e, 0x50, 0x52, 0x62, 0x68, 0x71, 0x74, 0x7f, 0x80, 0x85, 0x8b, 0x8d, 0x94, 0x95, 0xfe, 0xff,
];

const flips = (bytes: Uint8Array, below: Below): Uint8Array => {
  const out = bytes.slice();
  for (let n = 1 + below(4); n > 0; n--)
    out[below(out.length)] = below(2) === 0 ? TELLING[below(TELLING.length)]! : below(256);
  return out;
};

const cut = (bytes: Uint8Array, below: Below): Uint8Array => bytes.slice(0, below(bytes.length));

/** The beginning of one, the end of the other. */
const splice = (bytes: Uint8Array, below: Below, other: Uint8Array): Uint8Array => {
  const [end, start] = [below(bytes.length), below(other.length)];
  const out = new Uint8Array(end + other.length - start);
  out.set(bytes.subarray(0, end));
  out.set(other.subarray(start), end);
  return out;
};

/** A piece of it once more, somewhere else. */
const copy = (bytes: Uint8Array, below: Below): Uint8Array => {
  const out = bytes.slice();
  const length = below(Math.min(64, bytes.length));
  out.set(bytes.subarray(below(bytes.length - length)).subarray(0, length), below(bytes.length - length));
  return out;
};

const MUTATIONS = [flips, flips, flips, cut, splice, copy];

const readAll = async (bytes: Uint8Array): Promise<"read" | "refused"> => {
  try {
    const { tensors } = await openTorch(fromBytes(bytes, "f.pt"));
    for (const { name, shape, read } of tensors.values())
      if ((await read()).length !== sizeOf(shape)) throw new Error(`tensor ${name} has another number of values`);
    return "read";
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    if (!/^f\.pt[^\n]{1,400}$/.test(thrown.message)) throw new Error(`not one clear line: ${thrown.message}`);
    return "refused";
  }
};

/** What a state dict is made of, once. */
const SMALL = torchFile(
  pickle(
    dict(
      [text("a.weight"), tensor(storage("0", 12), 0, [3, 4], [4, 1])],
      [
        text("a.bias"),
        call("torch._utils", "_rebuild_parameter", tensor(storage("0", 12), 2, [2, 3], [1, 4]), op.none),
      ],
      [text("step"), integer(-3)],
      [text("args"), concat(call("argparse", "Namespace"), dict([text("size"), tuple(op.none, op.false)]), op.build)],
    ),
  ),
  { 0: new Uint8Array(48).fill(63) },
);

const loadSeeds = async () => {
  const read = async (name: string) => new Uint8Array(await readFile(new URL(name, FOLDER)));
  const small = [await read("no-checksums.pt"), SMALL]; // most inputs come of these, which are quickly read
  const files = [
    ...small,
    ...small,
    ...small,
    ...small,
    ...small,
    ...small,
    await read("kinds-2.pt"),
    await read("kinds-4.pt"),
  ];
  const old = await read("kinds-old.pt"); // no archive: damaged as a whole only
  const zips = await Promise.all(files.map((file) => openZip(fromBytes(file, "seed"))));
  const parts = zips.map(async (zip) => {
    const members = [...zip.members.values()];
    const load = async (name: RegExp) =>
      Promise.all(
        members
          .filter((m) => name.test(m.name))
          .map(async (m) => [m.name.split("/").at(-1)!, await zip.unpack(m, 1e6)] as const),
      );
    return { program: (await load(/data\.pkl$/))[0]![1], storages: Object.fromEntries(await load(/\/data\/\d+$/)) };
  });
  return { files: [...files, old], parts: await Promise.all(parts) };
};

test(`${INPUTS} damaged files and pickles are read or refused`, async () => {
  const { files, parts } = await loadSeeds();
  const below = generator(20251217);
  const counts = { read: 0, refused: 0 };
  const before = process.memoryUsage().rss;
  let [longest, largest] = [0, 0];
  for (let n = 0; n < INPUTS; n++) {
    const whole = n % 2 === 0; // half of them are damaged anywhere, half in the pickle of a sound archive
    const seeds = whole ? files.length : parts.length;
    const [i, j] = [below(seeds), below(seeds)];
    const mutate = MUTATIONS[below(MUTATIONS.length)]!;
    const damaged = (): Uint8Array => {
      const { program, storages } = parts[i]!;
      return torchFile(mutate(program, below, parts[j]!.program), storages);
    };
    const input = whole ? mutate(files[i]!, below, files[j]!) : damaged();
    const start = performance.now();
    counts[await readAll(input)]++;
    longest = Math.max(longest, performance.now() - start);
    if (n % 500 === 0) largest = Math.max(largest, process.memoryUsage().rss - before);
  }
  expect(longest).toBeLessThan(LONGEST_MS);
  expect(largest).toBeLessThan(LARGEST_GROWTH);
  expect(counts.read).toBeGreaterThan(INPUTS / 50); // some damage shows in nothing that is looked at
  expect(counts.refused).toBeGreaterThan(INPUTS / 2);
});
