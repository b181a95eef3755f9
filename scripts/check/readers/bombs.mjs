// Small files that ask for gigabytes or for ever, built by code: each must be refused soon and in little memory.
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { constants, deflateRawSync } from "node:zlib";
import { zipSync } from "fflate";
import h5wasm from "h5wasm/node";
import sharp from "sharp";
import { crc32 } from "../../../dist/formats/crc32.js";
import { fixTar } from "./mutate.mjs";

const MB = 2 ** 20;
const PIECE = 16 * MB;

let piece;
/** Raw deflate of `size` zeros, made of copies of one piece: packing gigabytes takes no time. */
const packedZeros = (size) => {
  piece ??= deflateRawSync(Buffer.alloc(PIECE), { level: 9, finishFlush: constants.Z_FULL_FLUSH });
  const rest = deflateRawSync(Buffer.alloc(size % PIECE), { level: 9 });
  return Buffer.concat([...Array(Math.floor(size / PIECE)).fill(piece), rest]);
};

/** zlib's own form of the same: of n zeros, Adler-32 is 1 and n. */
const zlibZeros = (size) => {
  const end = Buffer.alloc(4);
  end.writeUInt32BE(((size % 65521) * 65536 + 1) >>> 0);
  return Buffer.concat([Buffer.from([0x78, 0xda]), packedZeros(size), end]);
};

const chunk = (type, data) => {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length);
  out.write(type, 4, "latin1");
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)) >>> 0, 8 + data.length);
  return out;
};

/** Bytes of an image's rows, each with its filter; interlaced ones in seven passes. */
const rawBytes = (width, height, bits, interlaced) => {
  const passes = interlaced
    ? [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ]
    : [[0, 0, 1, 1]];
  return passes.reduce((sum, [x, y, dx, dy]) => {
    const [columns, rows] = [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)];
    return columns > 0 && rows > 0 ? sum + rows * (1 + Math.ceil((columns * bits) / 8)) : sum;
  }, 0);
};

const CHANNELS = { 0: 1, 2: 3, 6: 4 };

/** A black PNG. */
const png = (width, height, { depth = 8, color = 6, interlaced = false, truncated = false } = {}) => {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([depth, color, 0, 0, interlaced ? 1 : 0], 8);
  const data = truncated
    ? deflateRawSync(Buffer.alloc(0))
    : zlibZeros(rawBytes(width, height, CHANNELS[color] * depth, interlaced));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", data),
    ...(truncated ? [] : [chunk("IEND", Buffer.alloc(0))]),
  ]);
};

const gzip = (start, zeros) => {
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const first = deflateRawSync(start, { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([head, first, packedZeros(zeros), Buffer.alloc(8)]); // the checksum is wrong, and is never reached
};

const idx = (...sizes) => {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head.writeUInt32BE(0x800 + sizes.length);
  for (const [i, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return head;
};

const varint = (number, value) => {
  const out = [number << 3];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    out.push((rest % 128) | (rest >= 128 ? 128 : 0));
    if (rest < 128) return Buffer.from(out);
  }
};
const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);

/** A constant of one value that stands for many. */
const constant = (name, ...shape) => {
  const sizes = field(2, Buffer.concat(shape.map((size) => field(2, varint(1, size)))));
  const tensor = Buffer.concat([varint(1, 1), sizes, field(5, Buffer.alloc(4, 1))]);
  const attribute = field(5, Buffer.concat([field(1, Buffer.from("value")), field(2, field(8, tensor))]));
  return field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from("Const")), attribute]));
};

/** A tar header; `size` is what stands in the field. */
const tarHeader = (name, size, kind = "0") => {
  const header = Buffer.alloc(512);
  header.write(name);
  if (typeof size === "number") header.write(size.toString(8).padStart(11, "0"), 124);
  else size.copy(header, 124);
  header.write(kind, 156);
  header.write("ustar\x0000", 257, "latin1");
  return fixTar(header);
};
const tarText = (name, text, kind) =>
  Buffer.concat([
    tarHeader(name, text.length, kind),
    Buffer.from(text),
    Buffer.alloc((512 - (text.length % 512)) % 512),
  ]);
const END = Buffer.alloc(1024);

/** Writes what is given at its offsets, and nothing between: a sparse file. */
const sparse = (path, size, ...parts) => {
  const file = openSync(path, "w");
  ftruncateSync(file, size);
  for (const [offset, bytes] of parts) writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
};

/** An HDF5 file of latents, as `change` wants it. */
const latents = async (path, { rows = 2, labels = [0n, 1n], change = () => {}, more = () => {} } = {}) => {
  await h5wasm.ready;
  const file = new h5wasm.File(path, "w");
  const row = [8, 2, 2];
  const created = file.create_dataset({
    name: "latents",
    data: new Float32Array(0),
    shape: [0, ...row],
    dtype: "<f4",
    maxshape: [rows, ...row],
    chunks: [1, ...row],
  });
  created.resize([rows, ...row]);
  if (change === "declared") {
    const made = file.create_dataset({
      name: "labels",
      data: BigInt64Array.of(),
      shape: [0],
      dtype: "<q",
      maxshape: [rows],
      chunks: [1024],
    });
    made.resize([rows]);
  } else {
    for (let i = 0; i < rows; i++) created.write_slice([[i, i + 1], [], [], []], new Float32Array(32));
    file.create_dataset({ name: "labels", data: BigInt64Array.from(labels), dtype: "<q" });
  }
  more(file);
  file.close();
};

const npy = (descr, shape) => {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`);
  return Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]), header]);
};

/** A zip of one deflated member of `size` bytes: `start`, and then zeros. */
const zipOf = (name, start, size) => {
  const packed = Buffer.concat([
    deflateRawSync(start, { finishFlush: constants.Z_FULL_FLUSH }),
    packedZeros(size - start.length),
  ]);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(packed.length, 18);
  local.writeUInt32LE(size, 22);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50);
  local.copy(entry, 8, 6, 30);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length + packed.length, 16);
  return Buffer.concat([local, Buffer.from(name), packed, entry, Buffer.from(name), end]);
};

const laughs = () => {
  const lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"];
  for (let i = 1; i < 10; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  return lines.join("\n");
};

/** A progressive JPEG with all colors in full, which says that it is larger than it is. */
const jpeg = async (width, height) => {
  const small = sharp({ create: { width: 64, height: 64, channels: 3, background: "#123" } });
  const out = await small.jpeg({ progressive: true, chromaSubsampling: "4:4:4" }).toBuffer();
  const frame = out.indexOf(Buffer.from([0xff, 0xc2]));
  out.writeUInt16BE(height, frame + 5);
  out.writeUInt16BE(width, frame + 7);
  return out;
};

const bytes = (make) => async (path) => writeFileSync(path, await make());
const bomb = (name, reader, file, write) => ({ name, reader, file, write });

const NEGATIVE = Buffer.from("-0000001000\0");
const NEGATIVE_BINARY = Buffer.from([...Array(10).fill(0xff), 0xfe, 0x00]);
const HUGE_BINARY = Buffer.from([0x80, ...Array(11).fill(0xff)]);

/** Every bomb: its name, the reader of readers.mjs that it is for, its file, and what writes it. */
export const BOMBS = [
  bomb(
    "PNG of 16,770,000×10, truncated",
    "image",
    "f.png",
    bytes(() => png(16_770_000, 10, { truncated: true })),
  ),
  bomb(
    "PNG of 1,000,000×200",
    "image",
    "f.png",
    bytes(() => png(1_000_000, 200)),
  ),
  bomb(
    "PNG of 16,000×16,000, 16 bits, interlaced",
    "image",
    "f.png",
    bytes(() => png(16_000, 16_000, { depth: 16, interlaced: true })),
  ),
  bomb(
    "PNG of 7,900×8,000, 16 bits, interlaced",
    "image",
    "f.png",
    bytes(() => png(7900, 8000, { depth: 16, interlaced: true })),
  ),
  bomb(
    "PNG of 60,000×1,000, 16 bits",
    "image",
    "f.png",
    bytes(() => png(60_000, 1000, { depth: 16 })),
  ),
  bomb(
    "JPEG of 9,000×7,000, progressive 4:4:4",
    "image",
    "f.jpg",
    bytes(() => jpeg(9000, 7000)),
  ),
  bomb("PNG file of 1.9 GB, sparse", "folder", "f.png", async (path) => sparse(path, 1.9e9, [0, png(8, 8)])),
  bomb(
    "MNIST gzip of 3 GB, as stated",
    "mnist",
    "train-images-idx3-ubyte.gz",
    bytes(() => gzip(idx(3_900_000, 28, 28), 3_900_000 * 784)),
  ),
  bomb(
    "MNIST gzip of 3 GB, 2 images stated",
    "mnist",
    "train-images-idx3-ubyte.gz",
    bytes(() => gzip(idx(2, 28, 28), 3e9)),
  ),
  bomb(
    "CIFAR-10 gzip of 3 GB",
    "cifar",
    "data_batch_1.bin.gz",
    bytes(() => gzip(Buffer.alloc(1), 3073e6 - 1)),
  ),
  bomb(
    "GraphDef of three constants [20000 20000]",
    "graphdef",
    "f.pb",
    bytes(() => Buffer.concat(["a", "b", "c"].map((name) => constant(name, 20_000, 20_000)))),
  ),
  bomb(
    "tar member of −512 bytes",
    "tar",
    "f.tar",
    bytes(() => Buffer.concat([tarHeader("a.png", NEGATIVE), END])),
  ),
  bomb(
    "tar member of −512 bytes, base 256",
    "tar",
    "f.tar",
    bytes(() => Buffer.concat([tarHeader("a.png", NEGATIVE_BINARY), END])),
  ),
  bomb(
    "tar member of 2^88 bytes",
    "tar",
    "f.tar",
    bytes(() => Buffer.concat([tarHeader("a.png", HUGE_BINARY), END])),
  ),
  bomb("tar member of 1.9 GB, sparse", "tar", "f.tar", async (path) =>
    sparse(path, 1.9e9 + 4096, [0, tarText("0.cls", "0")], [1024, tarHeader("0.png", 1.9e9)]),
  ),
  bomb("tar label of 1.9 GB, sparse", "tar", "f.tar", async (path) =>
    sparse(path, 1.9e9 + 4096, [0, tarHeader("0.cls", 1.9e9)]),
  ),
  bomb("tar long name of 1.9 GB, sparse", "tar", "f.tar", async (path) =>
    sparse(path, 1.9e9 + 4096, [0, tarHeader("././@LongLink", 1.9e9, "L")]),
  ),
  bomb(
    "tar pax size of 10^20 bytes",
    "tar",
    "f.tar",
    bytes(() => Buffer.concat([tarText("x", `30 size=${"9".repeat(20)}\n`, "x"), tarHeader("0.png", 0), END])),
  ),
  bomb("HDF5 label of 2·10^9", "latents", "f.hdf5", (path) => latents(path, { labels: [0n, 2_000_000_000n] })),
  bomb("HDF5 of 5·10^7 declared rows", "latents", "f.hdf5", (path) => latents(path, { rows: 5e7, change: "declared" })),
  bomb(
    "npz of 1.9 GB of labels, deflated",
    "npz-images",
    "f.npz",
    bytes(() => zipOf("arr_0.npy", npy("<i8", [237_500_000]), 1.9e9 + 128)),
  ),
  bomb(
    "npz of 1.9 GB of images, deflated",
    "npz-images",
    "f.npz",
    bytes(() => zipOf("arr_0.npy", npy("|u1", [10_000_000, 8, 8, 3]), 1.92e9 + 128)),
  ),
  bomb(
    "npz read whole of 1.9 GB, deflated",
    "npz",
    "f.npz",
    bytes(() => zipOf("pool.npy", npy("|u1", [1.9e9]), 1.9e9 + 128)),
  ),
  bomb(
    "npz label of 2·10^9",
    "npz-images",
    "f.npz",
    bytes(() => labelledNpz(2_000_000_000n)),
  ),
  bomb("safetensors header of 99 MB, sparse", "safetensors", "f.safetensors", async (path) =>
    sparse(path, 99 * MB + 8, [0, Buffer.from(BigUint64Array.of(BigInt(99 * MB)).buffer)]),
  ),
  bomb(
    "pickle of a million dictionaries",
    "torch",
    "f.pt",
    bytes(() => zipSync({ "a/data.pkl": Buffer.from(`\x80\x02${"}".repeat(900_000)}.`, "latin1") })),
  ),
  bomb(
    "YAML, a billion laughs",
    "yaml",
    "f.yaml",
    bytes(() => laughs()),
  ),
  bomb(
    "YAML of 200,000 brackets",
    "yaml",
    "f.yaml",
    bytes(() => `a: ${"[".repeat(200_000)}`),
  ),
  bomb(
    "YAML of 100,000 documents' ends",
    "yaml",
    "f.yaml",
    bytes(() => "{}".repeat(100_000)),
  ),
  bomb("YAML of 1.9 GB, sparse", "yaml", "f.yaml", async (path) => sparse(path, 1.9e9)),
];

function labelledNpz(label) {
  const images = Buffer.concat([npy("|u1", [2, 4, 4, 3]), Buffer.alloc(96)]);
  const labels = Buffer.concat([npy("<i8", [2]), Buffer.from(BigInt64Array.of(0n, label).buffer)]);
  return zipSync({ "arr_0.npy": images, "arr_1.npy": labels }, { level: 0 });
}

/** Writes a bomb into a folder; its path. */
export const writeBomb = async ({ reader, file, write }, folder) => {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  if (reader === "mnist")
    writeFileSync(join(folder, "train-labels-idx1-ubyte"), Buffer.concat([idx(2), Buffer.alloc(2)]));
  await write(path);
  return path;
};
