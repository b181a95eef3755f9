import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { fromBytes } from "../../src/formats/randomAccess.js";
import { type LazyTensor, openTorch } from "../../src/formats/torch/checkpoint.js";

/** Files that PyTorch wrote (scripts/fixtures/torch_checkpoints.py): every value is known from its formula. */

const FOLDER = new URL("../data/torch/", import.meta.url);
const open = async (name: string) => openTorch(fromBytes(await readFile(new URL(name, FOLDER)), name));

/** v(i, k), as the script has it. */
const v = (i: number, salt: number): number => (((7 * i + 13 * salt) % 101) - 50) / 8;
const values = (count: number, salt: number): number[] => Array.from({ length: count }, (_, i) => v(i, salt));
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const FLOATS = { float32: "F32", float16: "F16", bfloat16: "BF16", float64: "F64" } as const;
const INTEGERS = {
  int64: ["I64", BigInt64Array],
  int32: ["I32", Int32Array],
  int16: ["I16", Int16Array],
  int8: ["I8", Int8Array],
  uint8: ["U8", Uint8Array],
} as const;

/** Name → shape and values. */
const VIEWS: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
  "views.rows": [[3, 8], range(24).map((i) => v(16 + i, 20))],
  "views.columns": [[6, 2], range(12).map((i) => v(8 * (i >> 1) + 1 + 3 * (i % 2), 20))],
  "views.transposed": [[8, 6], range(48).map((i) => v(8 * (i % 6) + Math.floor(i / 6), 20))],
  "views.permuted": [
    [4, 2, 3],
    range(24).map((i) => v(12 * (Math.floor(i / 3) % 2) + 4 * (i % 3) + Math.floor(i / 6), 22)),
  ],
  "views.expanded": [[3, 4], range(12).map((i) => v(i >> 2, 23))],
  "views.scalar": [[], [v(28, 20)]],
  "views.half": [[4, 4], range(16).map((i) => v(4 * (i % 4) + (i >> 2), 24))],
  "shared.first": [[6], values(6, 21)],
  "shared.second": [[2, 3], range(6).map((i) => v(6 + i, 21))],
  "shared.all": [[12], values(12, 21)],
  parameter: [[2, 2], values(4, 25)],
  empty: [[0, 3], []],
};

const expectFloats = async (
  tensor: LazyTensor | undefined,
  shape: readonly number[],
  wanted: readonly number[],
): Promise<void> => {
  expect(tensor?.shape).toEqual(shape);
  expect(await tensor?.read()).toEqual(Float32Array.from(wanted));
};

test.each([2, 3, 4, 5, "old"])("protocol %s: every element type and every view, to the bit", async (protocol) => {
  const { tensors } = await open(`kinds-${protocol}.pt`);
  for (const [i, [name, dtype]] of Object.entries(FLOATS).entries()) {
    const tensor = tensors.get(`tensors.floats.${name}`);
    expect(tensor?.dtype).toBe(dtype);
    await expectFloats(tensor, [3, 5], values(15, i + 1));
  }
  for (const [name, [dtype, Type]] of Object.entries(INTEGERS)) {
    const tensor = tensors.get(`tensors.integers.${name}`);
    expect(tensor?.dtype).toBe(dtype);
    const read = await tensor!.read();
    expect(read).toBeInstanceOf(Type);
    expect(Array.from(read, Number)).toEqual(range(7).map((i) => (5 * i) % 11));
  }
  expect(await tensors.get("tensors.integers.bool")?.read()).toEqual(Uint8Array.from([1, 0, 0, 1, 0, 0, 1]));
  for (const [name, [shape, wanted]] of Object.entries(VIEWS))
    await expectFloats(tensors.get(`tensors.${name}`), shape, wanted);
  expect(tensors.size).toBe(4 + 6 + Object.keys(VIEWS).length);
});

test.each([2, 3, 4, 5, "old"])(
  "protocol %s: plain values, and keys that are no names in JavaScript",
  async (protocol) => {
    const { scalars } = await open(`kinds-${protocol}.pt`);
    expect(Object.fromEntries(scalars)).toEqual({
      "plain.step": 1234,
      "plain.long": 2n ** 70n,
      "plain.rate": 1e-4,
      "plain.name": "nämë",
      "plain.none": null,
      "plain.yes": true,
      "plain.list.0": 1,
      "plain.list.1.0": 2,
      "plain.list.1.1": 3,
      "place.device": "cpu",
      "place.size.0": 2,
      "place.size.1": 3,
      "place.dtype": "torch.float16",
      "args.depth": 2,
      "args.__proto__": 3,
      "7.x": 1.5,
    });
    expect(({} as Record<string, unknown>).depth).toBeUndefined();
  },
);

test("a file without checksums is read; a changed byte of one with checksums is found", async () => {
  await expectFloats((await open("no-checksums.pt")).tensors.get("x"), [4], values(4, 1));
  const bytes = new Uint8Array(await readFile(new URL("official.pt", FOLDER)));
  const whole = await openTorch(fromBytes(bytes, "official.pt"));
  const wanted = await whole.tensors.get("model.network.t_embedder.mlp.0.weight")!.read();
  const at = Buffer.from(bytes.buffer).indexOf(Buffer.from(wanted.buffer as ArrayBuffer));
  bytes[at + 100]! ^= 1;
  const damaged = await openTorch(fromBytes(bytes, "official.pt"));
  await expect(damaged.tensors.get("model.network.t_embedder.mlp.0.weight")!.read()).rejects.toThrow(
    /^official.pt is damaged: the checksum of member official\/data\/\d+ does not match$/,
  );
});

test("the format before 1.6: what is cut short or counts wrongly is refused", async () => {
  const bytes = new Uint8Array(await readFile(new URL("kinds-old.pt", FOLDER)));
  await expect(openTorch(fromBytes(bytes.slice(0, -8), "cut.pt"))).rejects.toThrow(
    /^cut.pt is truncated: storage \d+ ends at byte \d+ of \d+$/,
  );
  await expect(openTorch(fromBytes(bytes.slice(0, 400), "cut.pt"))).rejects.toThrow(
    /^cut.pt: an instruction at byte \d+ claims/,
  );
  const stored = [BigInt64Array.of(4n), Float32Array.from(values(4, 25))].map((part) => Buffer.from(part.buffer));
  const first = Buffer.from(bytes).indexOf(Buffer.concat(stored)); // tensor "parameter": the count of its storage, then that
  const wrong = bytes.slice();
  wrong[first] = 5;
  await expect(openTorch(fromBytes(wrong, "wrong.pt"))).rejects.toThrow(
    /^wrong.pt: storage \d+ has 5 elements, its tensors say 4$/,
  );
});

test("only the bytes of a tensor are read, and a view of part of a storage reads that part", async () => {
  const bytes = new Uint8Array(await readFile(new URL("kinds-2.pt", FOLDER)));
  const reads: number[] = [];
  const source = {
    ...fromBytes(bytes, "x"),
    read: async (at: number, n: number) => {
      reads.push(n);
      return bytes.subarray(at, at + n);
    },
  };
  const { tensors } = await openTorch(source);
  reads.length = 0;
  await tensors.get("tensors.shared.second")!.read();
  await tensors.get("tensors.views.columns")!.read();
  expect(reads.filter((n) => n > 30)).toEqual([4 * (5 * 8 + 3 + 1)]);
  expect(reads).toContain(24);
});
