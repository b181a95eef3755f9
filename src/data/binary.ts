import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { constants, createGunzip, gunzipSync } from "node:zlib";
import { messageOf, UserError } from "../errors.js";
import type { Dataset, ImageShape, Sample } from "./dataset.js";
import { readBytes, requireFolder } from "./files.js";

/** Unpacked bytes of a packed file; a larger one is unpacked by hand, and then read as any other. */
const MOST_UNPACKED = 200_000_000;

/** Bytes that 1 packed byte can become, and those at the beginning that say what a file is. */
const BEST_RATIO = 1032;
const HEAD = 16;

/** The first bytes of a packed file; fewer where it is shorter or damaged. */
const packedHead = (bytes: Uint8Array): Uint8Array => {
  try {
    return gunzipSync(bytes.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, HEAD);
  } catch {
    return new Uint8Array(0);
  }
};

/** Unpacks at most `most` bytes: what is too large is not held. Untouched parts of the buffer take no memory. */
const unpack = async (packed: Uint8Array, path: string, most: number, more: string): Promise<Uint8Array> => {
  const out = Buffer.allocUnsafeSlow(Math.min(most, BEST_RATIO * packed.length));
  let done = 0;
  const stream = createGunzip({ chunkSize: 2 ** 18 });
  stream.end(packed);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      if (done + piece.length > most) throw new UserError(`${path} unpacks to more than ${most} bytes, ${more}`);
      done += piece.copy(out, done);
    }
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${path} is not a whole gzip file: ${messageOf(thrown)}`);
  }
  return out.subarray(0, done);
};

const BY_HAND = "the most that is unpacked here; unpack it with gunzip";

/**
 * A file's bytes, unpacked when its name ends in .gz: at most as many as `wanted` says after a look at the first 16, or
 * 200 million.
 */
const load = async (path: string, wanted?: (head: Uint8Array) => number): Promise<Uint8Array> => {
  const bytes = await readBytes(path);
  if (!path.endsWith(".gz")) return bytes;
  const head = packedHead(bytes);
  if (!wanted || head.length < HEAD) return unpack(bytes, path, MOST_UNPACKED, BY_HAND);
  const size = wanted(head);
  if (size > MOST_UNPACKED) throw new UserError(`${path} unpacks to ${size} bytes; ${MOST_UNPACKED} are ${BY_HAND}`);
  return unpack(bytes, path, size, "those that its header asks for");
};

const inMemory = (
  name: string,
  shape: ImageShape,
  classes: readonly string[],
  length: number,
  read: (i: number) => Sample,
  source: (i: number) => string,
): Dataset => ({
  name,
  shape,
  classes,
  length,
  read: async (index) => read(index),
  inspect: async (index) => void read(index),
  source,
  close: async () => {},
});

const CIFAR_SHAPE: ImageShape = { channels: 3, height: 32, width: 32 };
const CIFAR_CLASSES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;
const PLANE = 32 * 32;
const RECORD = 1 + 3 * PLANE;

/** Channels last from CIFAR's planes. */
const interleave = (planes: Uint8Array): Uint8Array => {
  const pixels = new Uint8Array(3 * PLANE);
  for (let c = 0; c < 3; c++) for (let i = 0; i < PLANE; i++) pixels[3 * i + c] = planes[c * PLANE + i]!;
  return pixels;
};

/** CIFAR-10's binary release: data_batch_*.bin (or .bin.gz) in a folder, records of one label and 3·32·32 bytes. */
export const openCifar10 = async (path: string): Promise<Dataset> => {
  await requireFolder(path, "data_batch_1.bin … data_batch_5.bin");
  const names = (await readdir(path)).filter((name) => /^data_batch_\d+\.bin(\.gz)?$/.test(name)).sort();
  if (names.length === 0)
    throw new UserError(`data.path: ${path} holds no data_batch_*.bin; give the folder of CIFAR-10's binary release`);
  const files = await Promise.all(
    names.map(async (name) => ({ path: join(path, name), bytes: await load(join(path, name)) })),
  );
  const records = files.flatMap(({ path: file, bytes }) => {
    if (bytes.length === 0 || bytes.length % RECORD !== 0)
      throw new UserError(
        `${file} has ${bytes.length} bytes, not a multiple of ${RECORD}: it is truncated or not CIFAR-10's binary form`,
      );
    return Array.from({ length: bytes.length / RECORD }, (_, i) => ({
      file,
      i,
      record: bytes.subarray(i * RECORD, (i + 1) * RECORD),
    }));
  });
  const read = (index: number): Sample => {
    const { file, i, record } = records[index]!;
    if (record[0]! > 9) throw new UserError(`${file}: record ${i} has label ${record[0]}; CIFAR-10 has labels 0 to 9`);
    return { label: record[0]!, pixels: interleave(record.subarray(1)) };
  };
  return inMemory(
    path,
    CIFAR_SHAPE,
    CIFAR_CLASSES,
    records.length,
    read,
    (i) => `${records[i]!.file}: record ${records[i]!.i}`,
  );
};

const IMAGES_MAGIC = 0x803;
const LABELS_MAGIC = 0x801;

/** What an idx file's header says.   header: magic, then one big-endian size an axis */
const idxHeader = (bytes: Uint8Array, path: string, magic: number) => {
  const axes = magic & 0xff;
  const head = 4 + 4 * axes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < head || view.getUint32(0) !== magic)
    throw new UserError(
      `${path} is not an idx file of bytes with ${axes} axes: it must begin with ${magic.toString(16).padStart(8, "0")}`,
    );
  const sizes = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i));
  return { sizes, head, wanted: head + sizes.reduce((n, size) => n * size, 1) };
};

/** Sizes and body of an idx file, also packed, after checks of magic number and length. */
const readIdx = async (path: string, magic: number): Promise<{ sizes: number[]; body: Uint8Array }> => {
  const bytes = await load(path, (start) => idxHeader(start, path, magic).wanted);
  const { sizes, head, wanted } = idxHeader(bytes, path, magic);
  if (bytes.length !== wanted) throw new UserError(`${path} has ${bytes.length} bytes; its header asks for ${wanted}`);
  return { sizes, body: bytes.subarray(head) };
};

const find = async (path: string, stem: string): Promise<string> => {
  const names = await readdir(path);
  const name = [stem, `${stem}.gz`, stem.replace("-idx", ".idx"), `${stem.replace("-idx", ".idx")}.gz`].find(
    (candidate) => names.includes(candidate),
  );
  if (!name) throw new UserError(`data.path: ${path} holds no ${stem} (or ${stem}.gz)`);
  return join(path, name);
};

/** MNIST's idx files, also gzipped: train-images-idx3-ubyte and train-labels-idx1-ubyte in a folder. */
export const openMnist = async (path: string): Promise<Dataset> => {
  await requireFolder(path, "train-images-idx3-ubyte and train-labels-idx1-ubyte");
  const [imageFile, labelFile] = [
    await find(path, "train-images-idx3-ubyte"),
    await find(path, "train-labels-idx1-ubyte"),
  ];
  const images = await readIdx(imageFile, IMAGES_MAGIC);
  const labels = await readIdx(labelFile, LABELS_MAGIC);
  const [count = 0, height = 0, width = 0] = images.sizes;
  if (height !== 28 || width !== 28)
    throw new UserError(`${imageFile} holds images of ${width}×${height} pixels; MNIST's are 28×28`);
  if (labels.sizes[0] !== count)
    throw new UserError(`${labelFile} holds ${labels.sizes[0]} labels for ${count} images`);
  if (count === 0) throw new UserError(`${imageFile} holds no images`);
  const read = (index: number): Sample => {
    const label = labels.body[index]!;
    if (label > 9) throw new UserError(`${labelFile}: label ${index} is ${label}; MNIST has labels 0 to 9`);
    return { label, pixels: images.body.subarray(index * height * width, (index + 1) * height * width) };
  };
  const classes = Array.from({ length: 10 }, (_, i) => String(i));
  return inMemory(path, { channels: 1, height, width }, classes, count, read, (i) => `${imageFile}: image ${i}`);
};
