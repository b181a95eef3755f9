import { open } from "node:fs/promises";
import { UserError } from "../../errors.js";
import { unlessAbsent } from "../../files/index.js";
import type { RandomAccess } from "../../formats/randomAccess.js";
import { type LazyTensor, openTorch, type TensorValues } from "../../formats/torch/checkpoint.js";
import type { Scalar } from "../../formats/torch/flatten.js";
import { openSafetensors, readRange } from "../safetensorsFile.js";

/** A tensor of a checkpoint, as floats when it is asked for. */
export type CheckpointTensor = { readonly shape: readonly number[]; readonly read: () => Promise<Float32Array> };

/** Somebody's checkpoint: tensors and plain values by dotted name. */
export type Checkpoint = {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly scalars: ReadonlyMap<string, Scalar>;
  /** Whether the tensors are in the order in which the network has them; safetensors files are sorted. */
  readonly ordered: boolean;
  readonly close: () => Promise<void>;
};

/** Opens a file of torch.save (.pt, .pth, .ckpt, .bin) or a .safetensors file. */
export const openCheckpoint = (path: string): Promise<Checkpoint> =>
  /\.safetensors$/i.test(path) ? fromSafetensors(path) : fromTorch(path);

const fromSafetensors = async (path: string): Promise<Checkpoint> => {
  const file = await openSafetensors(path);
  const tensors = [...file.header.entries].map(
    ([name, { shape }]) => [name, { shape, read: () => file.read(name) }] as const,
  );
  return { path, tensors: new Map(tensors), scalars: new Map(), ordered: false, close: file.close };
};

const fromTorch = async (path: string): Promise<Checkpoint> => {
  const file = await unlessAbsent(path, () => open(path));
  if (!file) throw new UserError(`there is no file ${path}`);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new UserError(`${path} is a folder; give the file that torch.save wrote`);
    const read: RandomAccess["read"] = (offset, length) => readRange(file, offset, length);
    const { tensors, scalars } = await openTorch({ name: path, size: found.size, read });
    const floats = [...tensors].map(
      ([name, tensor]) => [name, { shape: tensor.shape, read: () => readFloats(path, tensor) }] as const,
    );
    return { path, tensors: new Map(floats), scalars, ordered: true, close: () => file.close() };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
};

const readFloats = async (path: string, { name, dtype, read }: LazyTensor): Promise<Float32Array> => {
  const values: TensorValues = await read();
  if (values instanceof Float32Array) return values;
  throw new UserError(`${path}: tensor ${name} has element type ${dtype}; weights are floats`);
};
