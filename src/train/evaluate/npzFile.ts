import { open } from "node:fs/promises";
import { messageOf, UserError } from "../../errors.js";
import { decodeNpy, type NpyArray } from "../../formats/npz.js";
import type { RandomAccess } from "../../formats/randomAccess.js";
import { openZip, type Zip, type ZipMember } from "../../formats/zip.js";

/** Bytes of a member that are unpacked whole. */
const MOST = 2 ** 31 - 1;
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
  const file = await open(path, "r").catch((thrown: unknown) => {
    throw new UserError(`evaluate: ${path} cannot be opened: ${messageOf(thrown)}`);
  });
  const { size } = await file.stat();
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await file.read(bytes, 0, length, offset);
    return bytes.subarray(0, bytesRead);
  };
  return { name: path, size, read, close: () => file.close() };
};

/** Shape and first byte of a stored uint8 member. */
const headerOf = async (access: RandomAccess, zip: Zip, member: ZipMember) => {
  const start = await zip.locate(member);
  const bytes = await access.read(start, Math.min(HEADER, member.size));
  const text = new TextDecoder("latin1").decode(bytes);
  const shape = (/'shape':\s*\(([\d, ]*)\)/.exec(text)?.[1] ?? "").split(",").filter((part) => part.trim());
  const end = text.indexOf("\n") + 1;
  if (!text.includes("'|u1'") || text.includes("True") || end === 0)
    throw new UserError(`${access.name}: ${member.name} holds no bytes (uint8) in row order; images must be that`);
  return { shape: shape.map(Number), start: start + end, bytes: member.size - end };
};

const streamed = async (access: RandomAccess, zip: Zip, member: ZipMember): Promise<NpzImages> => {
  const { shape, start, bytes } = await headerOf(access, zip, member);
  const each = shape.slice(1).reduce((n, size) => n * size, 1);
  if (bytes !== shape[0]! * each)
    throw new UserError(
      `${access.name}: ${member.name} is truncated: ${shape[0]! * each} bytes are wanted, it has ${bytes}`,
    );
  return { shape, read: (first, n) => access.read(start + first * each, n * each) };
};

/** Opens an .npz file. Throws a `UserError` for one that is not whole. */
export const openNpz = async (path: string): Promise<NpzFile> => {
  const access = await fileAccess(path);
  try {
    const zip = await openZip(access);
    const memberOf = (name: string): ZipMember => {
      const member = zip.members.get(`${name}.npy`);
      if (!member) throw new UserError(`${path} has no array ${name}; it has ${[...zip.members.keys()].join(", ")}`);
      return member;
    };
    const array = async (name: string): Promise<NpyArray> =>
      decodeNpy(await zip.unpack(memberOf(name), MOST), `${path}: ${name}.npy`);
    const images = async (name: string): Promise<NpzImages> => {
      const member = memberOf(name);
      if (member.method === "stored") return streamed(access, zip, member);
      const { shape, data } = await array(name);
      const each = shape.slice(1).reduce((n, size) => n * size, 1);
      if (!(data instanceof Uint8Array))
        throw new UserError(`${path}: ${name}.npy holds no bytes (uint8); images must be that`);
      return { shape, read: async (first, n) => data.subarray(first * each, (first + n) * each) };
    };
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
