import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { File as Hdf5File, ready } from "h5wasm/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserError } from "../../errors.js";
import { openLatents, openLatentsFile } from "./latents.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-latents-"));
  await ready;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Changes = {
  readonly labels?: Parameters<Hdf5File["create_dataset"]>[0];
  readonly more?: (file: Hdf5File) => void;
};

/** A file of two latents of 4×2×2 with what a test changes. */
const written = (name: string, { labels, more }: Changes): string => {
  const path = join(folder, `${name.replace(/\W+/g, "-")}.hdf5`);
  const file = new Hdf5File(path, "w");
  file.create_dataset({ name: "latents", data: new Float32Array(64), shape: [2, 8, 2, 2], dtype: "<f4" });
  file.create_dataset(labels ?? { name: "labels", data: BigInt64Array.of(0n, 1n), dtype: "<q" });
  more?.(file);
  file.close();
  return path;
};

const labels = (data: Parameters<Hdf5File["create_dataset"]>[0]["data"], dtype?: string): Changes => ({
  labels: { name: "labels", data, ...(dtype !== undefined && { dtype }) },
});
const beside = (name: string, data: Parameters<Hdf5File["create_dataset"]>[0]["data"], dtype?: string): Changes => ({
  more: (file) => void file.create_dataset({ name, data, ...(dtype !== undefined && { dtype }) }),
});
const attribute = (data: Parameters<Hdf5File["create_attribute"]>[1]): Changes => ({
  more: (file) => file.create_attribute("classes", data),
});

const ONE_NUMBER = "it must be one whole number";
const NAMES = "it must be a list of at most 65536 names in JSON";

test.each<readonly [string, Changes, string]>([
  ["amount as a text", beside("amount", "two"), `amount is of type S and shape []; ${ONE_NUMBER}`],
  [
    "amount as a float",
    beside("amount", Float32Array.of(2), "<f4"),
    `amount is of type <f and shape [1]; ${ONE_NUMBER}`,
  ],
  [
    "latent_size as a list",
    beside("latent_size", BigInt64Array.of(2n, 2n), "<q"),
    `latent_size is of type <q and shape [2]; ${ONE_NUMBER}`,
  ],
  ["amount as texts", beside("amount", ["a", "b"]), `amount is of type S and shape [2]; ${ONE_NUMBER}`],
  ["labels as floats", labels(Float32Array.of(0, 1), "<f4"), "labels has element type <f; it must be whole numbers"],
  ["labels as texts", labels(["a", "b"]), "labels has element type S; it must be whole numbers"],
  [
    "a label of two billion",
    labels(Int32Array.of(0, 2e9)),
    "label 1 is 2000000000; a label is a whole number from 0 to 65535",
  ],
  ["a negative label", labels(Int32Array.of(0, -1)), "labels has negative numbers"],
  ["classes as a number", attribute(7), `its attribute classes is of type <i and shape []; it must be one text`],
  ["classes as no JSON", attribute("cat, dog"), `its attribute classes is cat, dog; ${NAMES}`],
  ["classes as an object", attribute('{"a": 1}'), `its attribute classes is {"a": 1}; ${NAMES}`],
])("%s is refused in one line", async (name, changes, message) => {
  const path = written(name, changes);
  const thrown = await openLatents({ path, size: 2, channels: 4 }).catch((reason: unknown) => reason);
  expect(thrown).toBeInstanceOf(UserError);
  expect((thrown as Error).message.replace(path, "F")).toBe(`F: ${message}`);
});

test("labels of any width of whole numbers are read", async () => {
  for (const data of [
    Uint8Array.of(0, 200),
    Int16Array.of(0, 200),
    Int32Array.of(0, 200),
    BigInt64Array.of(0n, 200n),
  ]) {
    const path = written(data.constructor.name, labels(data));
    const dataset = await openLatents({ path, size: 2, channels: 4 });
    expect([dataset.classes.length, (await dataset.read(1)).label]).toEqual([201, 200]);
    await dataset.close();
  }
});

test("labels of 200,000 rows in packed chunks are read in pieces, each in its place", async () => {
  const path = join(folder, "many.hdf5");
  const n = 200_000;
  const file = new Hdf5File(path, "w");
  const packed = { compression: "gzip", compression_opts: 4 } as const;
  const latents = new Float32Array(2 * n);
  file.create_dataset({
    name: "latents",
    data: latents,
    shape: [n, 2, 1, 1],
    dtype: "<f4",
    chunks: [5000, 2, 1, 1],
    ...packed,
  });
  const data = BigInt64Array.from({ length: n }, (_, i) => BigInt(i % 1009));
  file.create_dataset({ name: "labels", data, shape: [n], dtype: "<q", chunks: [30_000], ...packed });
  file.close();
  const { labels, file: opened } = await openLatentsFile(path);
  opened.close();
  expect(labels.every((label, i) => label === BigInt(i % 1009))).toBe(true);
});

test("rows that are declared and not there are refused before any is read", async () => {
  const path = join(folder, "declared.hdf5");
  const file = new Hdf5File(path, "w");
  for (const [name, row, dtype] of [
    ["latents", [8, 2, 2], "<f4"],
    ["labels", [], "<q"],
  ] as const) {
    const data = dtype === "<q" ? new BigInt64Array(0) : new Float32Array(0);
    const made = file.create_dataset({
      name,
      data,
      dtype,
      shape: [0, ...row],
      maxshape: [5e7, ...row],
      chunks: [16, ...row],
    });
    made.resize([5e7, ...row]);
  }
  file.close();
  await expect(openLatents({ path, size: 2, channels: 4 })).rejects.toThrow(
    /: latents is \[50000000 8 2 2\], 6400000000 bytes; the file has \d+ and is not whole$/,
  );
});
