import { UserError } from "../../errors.js";
import { unpickleAt } from "../pickle/unpickle.js";
import { List, type Value } from "../pickle/values.js";
import { type RandomAccess, shown } from "../randomAccess.js";
import { SAFETENSORS_BYTES } from "../safetensors.js";
import { Storage, torchVocabulary } from "./vocabulary.js";

/** The number that files of torch.save began with before version 1.6, as a pickle of protocol 2 writes it. */
const MAGIC = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19] as const;
const PROTOCOL = 1001;
const LARGEST_HEAD = 16 * 2 ** 20;
const COUNT_BYTES = 8;

/** Whether a file begins as torch.save wrote it before version 1.6. */
export const isLegacy = (start: Uint8Array): boolean =>
  [3, 4].some((at) => MAGIC.every((byte, i) => start[at + i] === byte));

/** What was saved, and where the bytes of every storage begin, by key. */
export type Legacy = { readonly value: Value; readonly starts: ReadonlyMap<string, number> };

const countAt = async ({ name, size, read }: RandomAccess, at: number): Promise<number> => {
  const bytes = at + COUNT_BYTES <= size ? await read(at, COUNT_BYTES) : new Uint8Array();
  if (bytes.length < COUNT_BYTES) throw new UserError(`${name} is truncated: a storage should begin at byte ${at}`);
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
};

const keysOf = (value: Value, file: string): readonly string[] => {
  const keys = value instanceof List ? value.items : [];
  if (!(value instanceof List) || keys.some((key) => typeof key !== "string"))
    throw new UserError(`${file}: its list of storages is malformed`);
  return keys as string[];
};

/**
 * Reads the head of a file that torch.save wrote before PyTorch 1.6: five pickles (a magic number, a version, the machine's
 * sizes, what was saved, the keys of its storages), then each storage's number of elements and its bytes. Nothing of
 * it is run. Throws a `UserError` for what is malformed.
 */
export const openLegacy = async (source: RandomAccess): Promise<Legacy> => {
  const { name, size, read } = source;
  const head = await read(0, Math.min(size, LARGEST_HEAD));
  const storages = new Map<string, Storage>();
  const vocabulary = torchVocabulary(name);
  const persistent = (id: Value): Value => {
    const storage = vocabulary.persistent(id);
    if (storage instanceof Storage) storages.set(storage.key, storage);
    return storage;
  };
  const values: Value[] = [];
  let at = 0;
  for (let i = 0; i < 5; i++) {
    const { value, end } = unpickleAt(head, at, name, { ...vocabulary, persistent });
    values.push(value);
    at = end;
  }
  if (values[1] !== PROTOCOL) throw new UserError(`${name}: its version is ${String(values[1])}; ${PROTOCOL} is read`);
  const starts = new Map<string, number>();
  for (const key of keysOf(values[4]!, name)) {
    const [count, storage] = [await countAt(source, at), storages.get(key)];
    if (storage === undefined || count !== storage.elements)
      throw new UserError(
        `${name}: storage ${shown(key)} has ${count} elements, its tensors say ${storage?.elements ?? "nothing"}`,
      );
    starts.set(key, at + COUNT_BYTES);
    at += COUNT_BYTES + count * SAFETENSORS_BYTES[storage.dtype];
    if (at > size) throw new UserError(`${name} is truncated: storage ${shown(key)} ends at byte ${at} of ${size}`);
  }
  return { value: values[3]!, starts };
};
