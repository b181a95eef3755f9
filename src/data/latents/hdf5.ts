import { statSync } from "node:fs";
import type { Dataset as Hdf5Dataset } from "h5wasm/node";
import { messageOf, UserError } from "../../errors.js";
import { shown } from "../../formats/randomAccess.js";

/** The HDF5 library, loaded when it is first needed, and told to throw where it would print. */
const library = async () => {
  const { File, ready } = await import("h5wasm/node");
  (await ready).activate_throwing_error_handler();
  return File;
};

/** An open HDF5 file. Whatever is damaged in it is a `UserError` that names it. */
export type OpenHdf5 = {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Names of what lies at the top. */
  readonly names: readonly string[];
  /** A dataset by name; undefined where there is none. */
  readonly dataset: (name: string) => OpenDataset | undefined;
  /** A text attribute of the file; undefined where there is none. */
  readonly attribute: (name: string) => string | undefined;
  readonly close: () => void;
};

/** A dataset, of which only the description was read yet. */
export type OpenDataset = {
  readonly shape: readonly number[];
  /** As NumPy writes it, such as `<f` for float32 and `<q` for int64; `another kind` for what is no plain number. */
  readonly dtype: string;
  /** Bytes of all its values, and of what is read of it at least: a chunk. */
  readonly bytes: number;
  readonly chunkBytes: number;
  /** Whether its values are stored packed. */
  readonly packed: boolean;
  /** Rows first … last−1. Throws a `UserError` for a damaged file. */
  readonly rows: (first: number, last: number) => Rows;
  /** Its only value, of one that has a single one. */
  readonly value: () => number | bigint;
};

/** Values as the file has them. */
export type Rows = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** Bytes of a text attribute: names of 65,536 classes. */
const LONGEST_TEXT = 2 ** 22;
const MOST_NAMES = 10_000;

/** Opens a file for reading; throws a `UserError` that names it when it is not HDF5. */
export const openHdf5 = async (path: string): Promise<OpenHdf5> => {
  const Hdf5File = await library();
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UserError(`there is no file ${path}`);
  if (!found.isFile()) throw new UserError(`${path} cannot be read as HDF5: it is no plain file`);
  const file = tried(path, () => new Hdf5File(path, "r"));
  try {
    const names = tried(path, () => file.keys());
    if (names.length > MOST_NAMES)
      throw new UserError(`${path} holds ${names.length} parts; a file of latents has a few`);
    return {
      path,
      size: found.size,
      names,
      dataset: (name) => (names.includes(name) ? tried(path, () => datasetIn(file, path, name)) : undefined),
      attribute: (name) => textAttribute(file, path, name),
      close: () => file.close(),
    };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
};

type Hdf5File = InstanceType<Awaited<ReturnType<typeof library>>>;

const datasetIn = (file: Hdf5File, path: string, name: string): OpenDataset | undefined => {
  const found = file.get(name);
  if (!found || !("slice" in found)) return undefined;
  const dataset = found as Hdf5Dataset;
  const { shape, size, chunks } = dataset.metadata;
  const { dtype } = dataset;
  const product = (sizes: readonly number[]): number => sizes.reduce((n, d) => n * d, size);
  const rest = (shape ?? []).slice(1).map(() => [] as []);
  return {
    shape: shape ?? [],
    dtype: kindOf(dtype),
    bytes: product(shape ?? []),
    chunkBytes: product(chunks ?? [1]),
    packed: dataset.filters.length > 0,
    rows: (first, last) => tried(path, () => dataset.slice([[first, last], ...rest]) as Rows),
    value: () => {
      const all = tried(path, () => dataset.value) as number | bigint | Rows;
      return typeof all === "object" ? all[0]! : all;
    },
  };
};

/** A type as NumPy writes it, where it is one of plain values. */
const kindOf = (dtype: unknown): string => (typeof dtype === "string" ? shown(dtype) : "another kind");

/** A text attribute; throws where it is of another kind, or longer than any that soflow writes. */
const textAttribute = (file: Hdf5File, path: string, name: string): string | undefined => {
  const found = tried(path, () => file.attrs[name]);
  if (!found) return undefined;
  const bytes = found.metadata.size * (found.shape ?? []).reduce((n, d) => n * d, 1);
  const value = bytes > LONGEST_TEXT ? undefined : tried(path, () => found.value);
  if (typeof value !== "string" || value.length > LONGEST_TEXT)
    throw new UserError(
      `${path}: its attribute ${name} is of type ${kindOf(found.dtype)} and shape [${(found.shape ?? []).join(" ")}]; it must be one text`,
    );
  return value;
};

/** The innermost reason of HDF5's own report of many lines, `#003: H5Fsuper.c line 420 in H5F__super_read(): what it was`. */
const reasonIn = (report: string): string =>
  [...report.matchAll(/#\d+: [^\n]*\(\): ([^\n]+)/g)].at(-1)?.[1] ?? report.split("\n")[0]!;

const tried = <T>(path: string, use: () => T): T => {
  try {
    return use();
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${path} cannot be read as HDF5: ${shown(reasonIn(messageOf(thrown)), 200)}`);
  }
};

/** HDF5 writes the time into its headers; two files with the same contents are to be the same. The calls do not wait. */
const withStoppedClock = <T>(use: () => T): T => {
  const { now } = Date;
  Date.now = () => 0;
  try {
    return use();
  } finally {
    Date.now = now;
  }
};

/** What a file of latents holds beside its rows. */
export type LatentsHeader = {
  /** Rows. */
  readonly amount: number;
  /** Channels of a row: twice those of a latent, the mean's and the deviation's. */
  readonly channels: number;
  /** Side of a latent. */
  readonly side: number;
  readonly labels: BigInt64Array<ArrayBuffer>;
  readonly attributes: Readonly<Record<string, string>>;
};

/**
 * Writes latents as the official script lays them out: `latents` float32 [N 2C s s] (means, then deviations), `labels` int64
 * [N], and the numbers `amount` and `latent_size`. Rows come in any order, in pieces.
 */
export const writeLatents = async (
  path: string,
  { amount, channels, side, labels, attributes }: LatentsHeader,
  pieces: AsyncIterable<{ readonly first: number; readonly rows: Float32Array }>,
): Promise<void> => {
  const Hdf5File = await library();
  const size = channels * side * side;
  const file = withStoppedClock(() => {
    const opened = new Hdf5File(path, "w");
    const row = [channels, side, side];
    const created = opened.create_dataset({
      name: "latents",
      data: new Float32Array(0),
      shape: [0, ...row],
      dtype: "<f4",
      maxshape: [amount, ...row],
      chunks: [1, ...row],
    });
    created.resize([amount, ...row]);
    opened.create_dataset({ name: "labels", data: labels, dtype: "<q" });
    opened.create_dataset({ name: "amount", data: BigInt64Array.of(BigInt(amount)), shape: [], dtype: "<q" });
    opened.create_dataset({ name: "latent_size", data: BigInt64Array.of(BigInt(side)), shape: [], dtype: "<q" });
    for (const [name, value] of Object.entries(attributes)) opened.create_attribute(name, value);
    return opened;
  });
  try {
    const latents = file.get("latents") as Hdf5Dataset;
    for await (const { first, rows } of pieces)
      withStoppedClock(() => latents.write_slice([[first, first + rows.length / size], [], [], []], rows));
  } finally {
    withStoppedClock(() => file.close());
  }
};
