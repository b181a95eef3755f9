import { UserError } from "../../errors.js";
import { decodeNpy, type NpyArray, npyShape } from "../../formats/npz.js";
import { type RandomAccess, shown } from "../../formats/randomAccess.js";
import { openZip, type Zip, type ZipMember } from "../../formats/zip.js";
import { openPlainFile, readRange } from "../safetensorsFile.js";

/** Bytes of an array that is read whole: all but images. */
const MOST = 2 ** 28;
/** Bytes that a .npy header may have here. */
const HEADER = 256;

/** An .npz file on disk: small arrays are read whole, images in pieces. */
export type NpzFile = {
  readonly names: readonly string[];
  /** A whole array. */
  readonly array: (name: string) => Promise<NpyArray>;
  /** uint8 images [N H W C] that are read in pieces. */
  readonly images: (name: string) => Promise<NpzImages>;
  readonly close: () => Promise<void>;
};

export type NpzImages = {
  readonly shape: readonly number[];
  /** Images `first` … `first + n − 1`, n H W C bytes. */
  readonly read: (first: number, n: number) => Promise<Uint8Array>;
};

const fileAccess = async (path: string): Promise<RandomAccess & { close: () => Promise<void> }> => {
  const { file, size } = await openPlainFile(path);
  return { name: path, size, read: (offset, length) => readRange(file, offset, length), close: () => file.close() };
};

/** Bytes of a member from the first to the last, piece by piece; to go back, it begins anew. */
const unpacked = (zip: Zip, member: ZipMember): RandomAccess["read"] => {
  let [pieces, held, at] = [zip.pieces(member), new Uint8Array(0) as Uint8Array, 0];
  let queue: Promise<unknown> = Promise.resolve();
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (offset < at) [pieces, held, at] = [zip.pieces(member), new Uint8Array(0), 0];
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const part = held.subarray(offset + done - at, offset + length - at);
      out.set(part, done);
      done += part.length;
      if (done === length) break;
      at += held.length;
      const next = await pieces.next();
      if (next.done) return out.subarray(0, done);
      held = next.value;
    }
    return out;
  };
  return (offset, length) => {
    const result = queue.then(() => read(offset, length)); // one after another: they share a place in the stream
    queue = result.catch(() => {});
    return result;
  };
};

/** The bytes of a member, wherever they are wanted. */
const readerOf = async (access: RandomAccess, zip: Zip, member: ZipMember): Promise<RandomAccess["read"]> => {
  if (member.method === "deflated") return unpacked(zip, member);
  const start = await zip.locate(member);
  return (offset, length) => access.read(start + offset, length);
};

/** Shape of a uint8 member, and where its images begin. */
const headerOf = async (read: RandomAccess["read"], member: ZipMember, where: string) => {
  const text = new TextDecoder("latin1").decode(await read(0, Math.min(HEADER, member.size)));
  const start = text.indexOf("\n") + 1;
  if (!text.includes("'|u1'") || text.includes("True") || start === 0)
    throw new UserError(`${where} holds no bytes (uint8) in row order; images must be that`);
  return { shape: npyShape(text, where), start, bytes: member.size - start };
};

const imagesOf = async (access: RandomAccess, zip: Zip, member: ZipMember): Promise<NpzImages> => {
  const where = `${access.name}: ${shown(member.name)}`;
  const read = await readerOf(access, zip, member);
  const { shape, start, bytes } = await headerOf(read, member, where);
  const [count = 1, ...sizes] = shape;
  const each = sizes.reduce((n, size) => n * size, 1);
  if (bytes !== count * each)
    throw new UserError(`${where} is truncated: ${count * each} bytes are wanted, it has ${bytes}`);
  const readImages = async (first: number, n: number): Promise<Uint8Array> => {
    const found = await read(start + first * each, n * each);
    if (found.length < n * each) throw new UserError(`${where} is truncated: image ${first + n - 1} is not whole`);
    return found;
  };
  return { shape, read: readImages };
};

/** Opens an .npz file. Throws a `UserError` for one that is not whole. */
export const openNpz = async (path: string): Promise<NpzFile> => {
  const access = await fileAccess(path);
  try {
    const zip = await openZip(access);
    const memberOf = (name: string): ZipMember => {
      const member = zip.members.get(`${name}.npy`);
      if (!member)
        throw new UserError(`${path} has no array ${name}; it has ${shown([...zip.members.keys()].join(", "))}`);
      return member;
    };
    const array = async (name: string): Promise<NpyArray> =>
      decodeNpy(await zip.unpack(memberOf(name), MOST), `${path}: ${name}.npy`);
    const images = async (name: string): Promise<NpzImages> => imagesOf(access, zip, memberOf(name));
    return {
      names: [...zip.members.keys()].map((name) => name.replace(/\.npy$/, "")),
      array,
      images,
      close: access.close,
    };
  } catch (thrown) {
    await access.close();
    throw thrown;
  }
};
