import { existsSync } from "node:fs";
import type { Dataset as Hdf5Dataset } from "h5wasm/node";
import { messageOf, UserError } from "../../errors.js";

/** The HDF5 library, loaded when it is first needed, and told to throw where it would print. */
const library = async () => {
  const { File, ready } = await import("h5wasm/node");
  (await ready).activate_throwing_error_handler();
  return File;
};

/** An open HDF5 file. */
export type OpenHdf5 = {
  readonly path: string;
  /** Names of what lies at the top. */
  readonly names: readonly string[];
  /** A dataset by name; undefined where there is none. */
  readonly dataset: (name: string) => Hdf5Dataset | undefined;
  /** A text attribute of the file. */
  readonly attribute: (name: string) => string | undefined;
  readonly close: () => void;
};

/** Opens a file for reading; throws a `UserError` that names it when it is not HDF5. */
export const openHdf5 = async (path: string): Promise<OpenHdf5> => {
  const Hdf5File = await library();
  if (!existsSync(path)) throw new UserError(`there is no file ${path}`);
  const file = tried(path, () => new Hdf5File(path, "r"));
  return {
    path,
    names: file.keys(),
    dataset: (name) => {
      const found = file.keys().includes(name) ? file.get(name) : null;
      return found && "shape" in found ? (found as Hdf5Dataset) : undefined;
    },
    attribute: (name) => {
      const value = file.attrs[name]?.value;
      return typeof value === "string" ? value : undefined;
    },
    close: () => file.close(),
  };
};

const tried = <T>(path: string, use: () => T): T => {
  try {
    return use();
  } catch (thrown) {
    const [first] = messageOf(thrown).split("\n");
    throw new UserError(`${path} cannot be read as HDF5: ${first}`);
  }
};

/** Rows first … last−1 of a dataset. Throws a `UserError` for a damaged file. */
export const readRows = (
  path: string,
  dataset: Hdf5Dataset,
  first: number,
  last: number,
): Float32Array | BigInt64Array =>
  tried(path, () => {
    const rest = dataset.shape!.slice(1).map(() => [] as []);
    return dataset.slice([[first, last], ...rest]) as Float32Array | BigInt64Array;
  });

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
