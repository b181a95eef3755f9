import { UserError } from "../../errors.js";
import { sizeOf } from "../../graph/dtype.js";
import { unpickle } from "../pickle/unpickle.js";
import { type RandomAccess, shown } from "../randomAccess.js";
import { decodeTensor, SAFETENSORS_BYTES, type SafetensorsType } from "../safetensors.js";
import { openZip, requireChecksum, type Zip, type ZipMember } from "../zip.js";
import { flatten, type Scalar } from "./flatten.js";
import { isLegacy, type Legacy, openLegacy } from "./legacy.js";
import { chunksOf, isContiguous, scatter, spanOf, type View } from "./view.js";
import { type Storage, type Tensor, torchVocabulary } from "./vocabulary.js";

/** Values of a tensor: floats of any width as float32, integers as they are stored, booleans as bytes. */
export type TensorValues = Exclude<ReturnType<typeof decodeTensor>, Float64Array>;

/** A tensor of a file; its values are read when they are asked for. */
export type LazyTensor = {
  readonly name: string;
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly read: () => Promise<TensorValues>;
};

/** A checkpoint: its tensors and its other values by dotted name, in the order of the file. */
export type TorchCheckpoint = {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly scalars: ReadonlyMap<string, Scalar>;
};

const LARGEST_PICKLE = 16 * 2 ** 20;
const LARGEST_NOTE = 1024;
/** Bytes read at once of a tensor that is spread over its storage. */
const WINDOW = 64 * 2 ** 20;

/** The bytes of a storage, and what a whole one is held against. */
type Place = { readonly start: number; readonly name: string; readonly check?: (bytes: Uint8Array) => void };
type Locate = (storage: Storage) => Promise<Place>;

/**
 * Opens a file of torch.save without running what its pickle asks for: a zip archive with a pickle, as PyTorch writes them
 * since 1.6, or the older form. Reads the directory and the pickle; tensors follow one by one, views and all. Throws a
 * `UserError` that names the file for whatever is not tensors, state dicts and plain values, or is not whole.
 */
export const openTorch = async (source: RandomAccess): Promise<TorchCheckpoint> => {
  const start = await source.read(0, Math.min(source.size, 16));
  if (isLegacy(start)) return fromLegacy(source, await openLegacy(source));
  if (start[0] === 0x50 && start[1] === 0x4b) return fromZip(source); // PK
  throw new UserError(`${source.name} is not a file of torch.save: it does not begin as a zip archive`);
};

const fromLegacy = (source: RandomAccess, { value, starts }: Legacy): TorchCheckpoint => {
  const { tensors, scalars } = flatten(value, source.name);
  const locate = async ({ key }: Storage): Promise<Place> => ({ start: starts.get(key)!, name: `storage ${key}` });
  for (const { storage } of tensors.values())
    if (!starts.has(storage.key)) throw new UserError(`${source.name}: storage ${storage.key} is missing`);
  return { tensors: lazy(source, tensors, locate), scalars };
};

const fromZip = async (source: RandomAccess): Promise<TorchCheckpoint> => {
  const zip = await openZip(source);
  const folder = folderOf(zip);
  await requireLittleEndian(zip, folder);
  const pickle = await zip.unpack(zip.members.get(`${folder}data.pkl`)!, LARGEST_PICKLE);
  const { tensors, scalars } = flatten(unpickle(pickle, source.name, torchVocabulary(source.name)), source.name);
  const members = new Map([...tensors.values()].map(({ storage }) => [storage.key, memberOf(zip, folder, storage)]));
  const locate = async ({ key }: Storage): Promise<Place> => {
    const member = members.get(key)!;
    const check = (bytes: Uint8Array): void => requireChecksum(source, member, bytes);
    return { start: await zip.locate(member), name: `member ${member.name}`, check };
  };
  return { tensors: lazy(source, tensors, locate), scalars };
};

const lazy = (source: RandomAccess, tensors: ReadonlyMap<string, Tensor>, locate: Locate): Map<string, LazyTensor> =>
  new Map(
    [...tensors].map(([name, tensor]) => {
      const { shape, storage } = tensor;
      return [name, { name, dtype: storage.dtype, shape, read: () => readTensor(source, tensor, locate) }];
    }),
  );

/** The folder of the archive, with a slash; data.pkl lies in it. */
const folderOf = ({ name, members }: Zip): string => {
  const found = [...members.keys()].filter((member) => /^[^/]+\/data\.pkl$/.test(member));
  const folder = found[0]?.slice(0, -"data.pkl".length);
  if (folder === undefined || found.length > 1)
    throw new UserError(
      `${name} is not a file of torch.save: it has ${found.length} members data.pkl; one was expected`,
    );
  if (members.has(`${folder}constants.pkl`))
    throw new UserError(`${name} is a TorchScript program, not a checkpoint; save its state_dict() with torch.save`);
  return folder;
};

const requireLittleEndian = async (zip: Zip, folder: string): Promise<void> => {
  const member = zip.members.get(`${folder}byteorder`);
  if (!member) return;
  const order = new TextDecoder().decode(await zip.unpack(member, LARGEST_NOTE));
  if (order !== "little")
    throw new UserError(`${zip.name}: its byte order is ${shown(order)}; files of little-endian machines are read`);
};

/** The member with a storage's bytes, which must be as many as the storage claims. */
const memberOf = (zip: Zip, folder: string, { key, dtype, elements }: Storage): ZipMember => {
  const member = zip.members.get(`${folder}data/${key}`);
  if (!member) throw new UserError(`${zip.name}: storage ${key} is missing`);
  if (member.method !== "stored")
    throw new UserError(`${zip.name}: storage ${key} is compressed; torch.save stores tensors as they are`);
  if (member.size !== elements * SAFETENSORS_BYTES[dtype])
    throw new UserError(
      `${zip.name}: storage ${key} has ${member.size} bytes; ${elements} elements of ${dtype} take ${elements * SAFETENSORS_BYTES[dtype]}`,
    );
  return member;
};

/** Reads a part of a storage; a whole one is held against its checksum. */
const readElements = async (
  source: RandomAccess,
  { start, name, check }: Place,
  { dtype, elements }: Storage,
  first: number,
  count: number,
): Promise<TensorValues> => {
  const [from, length] = [first * SAFETENSORS_BYTES[dtype], count * SAFETENSORS_BYTES[dtype]];
  const bytes = await source.read(start + from, length);
  if (bytes.length < length) throw new UserError(`${source.name} is truncated: ${name} is not whole`);
  if (count === elements) check?.(bytes);
  const values = decodeTensor(dtype, bytes);
  return values instanceof Float64Array ? Float32Array.from(values) : values;
};

const readTensor = async (source: RandomAccess, tensor: Tensor, locate: Locate): Promise<TensorValues> => {
  const { shape, offset, storage } = tensor;
  const place = await locate(storage);
  const read = (first: number, count: number) => readElements(source, place, storage, first, count);
  if (sizeOf(shape) === 0) return read(0, 0);
  if (isContiguous(tensor)) return read(offset, sizeOf(shape));
  return readView(tensor, WINDOW / SAFETENSORS_BYTES[storage.dtype], read);
};

const readView = async (
  view: View,
  most: number,
  read: (first: number, count: number) => Promise<TensorValues>,
): Promise<TensorValues> => {
  let out: TensorValues | undefined;
  for (const chunk of chunksOf(view, most)) {
    const elements = await read(chunk.offset, spanOf(chunk));
    out ??= new (elements.constructor as new (n: number) => TensorValues)(sizeOf(view.shape));
    scatter(elements as { [i: number]: unknown }, chunk, out as { [i: number]: unknown });
  }
  return out!;
};
