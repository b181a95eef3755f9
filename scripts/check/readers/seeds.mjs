// Sound files of every format, small, from which damaged ones are made.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import sharp from "sharp";
import { pack } from "tar-stream";
import { encodeNpy } from "../../../dist/formats/npz.js";
import { encodeHeader } from "../../../dist/formats/safetensors.js";
import { fixPng, fixSafetensors, fixTar } from "./mutate.mjs";

const data = (path) => readFile(new URL(`../../../tests/data/${path}`, import.meta.url));
const config = (path) => readFile(new URL(`../../../configs/${path}`, import.meta.url));

const noise = (length) => Uint8Array.from({ length }, (_, i) => (i * i * 31 + i * 7) % 251);

const safetensors = () => {
  const tensors = [
    { name: "a.weight", dtype: "F32", shape: [2, 3] },
    { name: "b", dtype: "BF16", shape: [4] },
    { name: "c", dtype: "F64", shape: [] },
  ];
  return [Buffer.concat([encodeHeader(tensors, { format: "pt" }), noise(24 + 8 + 8)])];
};

const index = () => [
  Buffer.from(
    JSON.stringify({
      metadata: { total_size: 12 },
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    }),
  ),
];

/** A protobuf field: number and wire type, then a length and bytes. */
const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
const varint = (number, value) => Buffer.from([number << 3, value]);

const constant = (name, shape, floats) => {
  const sizes = field(2, Buffer.concat(shape.map((size) => field(2, varint(1, size)))));
  const values = Buffer.from(Float32Array.from(floats).buffer);
  const tensor = Buffer.concat([varint(1, 1), sizes, field(floats.length > 1 ? 4 : 5, values)]);
  const attribute = field(5, Buffer.concat([field(1, Buffer.from("value")), field(2, field(8, tensor))]));
  return field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from("Const")), attribute]));
};

const graphs = () => [
  Buffer.concat([constant("a", [2, 2], [1, 2, 3, 4]), constant("b", [100, 100], [1]), constant("c", [1], [5])]),
];

const npys = () => [
  encodeNpy({ shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) }),
  encodeNpy({ shape: [4], data: BigInt64Array.from([0n, 1n, 2n, 1n]) }),
  encodeNpy({ shape: [4, 4, 4, 3], data: noise(192) }),
];

const npzOf = (level) => (npy) =>
  Buffer.from(
    zipSync(
      { "arr_0.npy": npy, "arr_1.npy": encodeNpy({ shape: [4], data: BigInt64Array.from([0n, 1n, 2n, 1n]) }) },
      { level },
    ),
  );

const labels = () => encodeNpy({ shape: [4], data: BigInt64Array.from([0n, 1n, 2n, 1n]) });
const images = () => encodeNpy({ shape: [4, 4, 4, 3], data: noise(192) });
const labelled = (npy) => Buffer.from(zipSync({ "arr_0.npy": images(), "arr_1.npy": npy }, { level: 0 }));

/** Pickles of torch.save, and the archive around them. */
const torch = async () => {
  const files = await Promise.all(
    ["kinds-2.pt", "kinds-3.pt", "kinds-4.pt", "kinds-5.pt", "no-checksums.pt"].map((name) => data(`torch/${name}`)),
  );
  const parts = files.map((file) => {
    const members = Object.entries(unzipSync(new Uint8Array(file)));
    const [name, pickle] = members.find(([path]) => path.endsWith("data.pkl"));
    return { name, pickle, others: members.filter(([path]) => path !== name) };
  });
  const wrapped = (pickle, below, level) => {
    const { name, others } = parts[below(parts.length)];
    return Buffer.from(zipSync(Object.fromEntries([[name, [pickle, { level }]], ...others]), { level: 0 }));
  };
  const ancient = ["(dp0\nS'a'\np1\nI1\nsS'b'\nL12L\ns.", "(lp0\nF1.5\naV\\u0041\na.", "}q\0U\x01aK\x01s."];
  return {
    files,
    pickles: [...parts.map(({ pickle }) => pickle), ...ancient.map((text) => Buffer.from(text))],
    wrapped,
  };
};

const png = (options) =>
  sharp(noise(24 * 20 * 3), { raw: { width: 24, height: 20, channels: 3 } })
    .png(options)
    .toBuffer();
const picture = (format, options) =>
  sharp(noise(24 * 20 * 3), { raw: { width: 24, height: 20, channels: 3 } })
    .toFormat(format, options)
    .toBuffer();

const tarOf = async (members) => {
  const tar = pack();
  for (const [name, content] of Object.entries(members)) tar.entry({ name }, Buffer.from(content));
  tar.finalize();
  const chunks = [];
  for await (const chunk of tar) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const tars = async () => {
  const image = await sharp(noise(48), { raw: { width: 4, height: 4, channels: 3 } })
    .png()
    .toBuffer();
  const long = `${"deep/".repeat(40)}1`;
  return [
    await tarOf({ "0.png": image, "0.cls": "1", "1.png": image, "1.json": '{"label": 2}' }),
    await tarOf({ [`${long}.png`]: image, [`${long}.cls`]: "0" }),
    await tarOf({ "ä.png": image, "ä.cls": "65535" }),
  ];
};

const cifar = () => [Buffer.concat([1, 9].map((label) => Buffer.concat([Buffer.from([label]), noise(3072)])))];

const idx = (sizes) => {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head.writeUInt32BE(0x800 + sizes.length);
  for (const [i, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([head, noise(sizes.reduce((n, size) => n * size, 1)).map((byte) => byte % 10)]);
};

const ALIASES = `a: &a [1, 2]
data: { kind: glyphs, size: 16, samples: 100, channels: 1 }
model: &m { patch: 4, width: 64, depth: 2, heads: 2 }
train:
  steps: 10
  batch: 4
more: [*a, *m]
`;

const gzipped = (bytes) => gzipSync(bytes, { level: 1 });

const plain = { kind: "binary", fix: (bytes) => bytes, spots: () => [] };

/** Offsets of every occurrence of some bytes, moved by `shift`. */
const findAll = (bytes, wanted, shift = 0) => {
  const found = [];
  for (let at = bytes.indexOf(wanted); at >= 0 && found.length < 64; at = bytes.indexOf(wanted, at + 1))
    found.push(at + shift);
  return found;
};

/** Where formats keep sizes. */
const SPOTS = {
  png: () => [16, 20, 24, 25, 28],
  jpeg: (bytes) =>
    [0xc0, 0xc2].flatMap((code) => findAll(bytes, Buffer.from([0xff, code]), 5)).flatMap((at) => [at, at + 2, at + 4]),
  webp: () => [4, 16, 21, 24, 26, 28],
  gif: (bytes) => [6, 8, 10, ...findAll(bytes, Buffer.from([0x2c]), 5).flatMap((at) => [at, at + 2])],
  idx: () => [0, 4, 8, 12],
  hdf5: (bytes) => [2, 6, 8].flatMap((size) => findAll(bytes, Buffer.from([size, 0, 0, 0, 0, 0, 0, 0]))),
};

const descriptions = () => [
  Buffer.from(
    JSON.stringify({
      format: "soflow",
      version: 1,
      network: { imageSize: 16, channels: 1, patch: 4, width: 64, depth: 2, heads: 2, classes: 3 },
      method: { kind: "soflow" },
      classes: ["a", "b", "c"],
    }),
  ),
];

/**
 * What is fuzzed: which reader of readers.mjs, the name of its file, others beside it, sound files, the kind of damage, and what
 * makes a damaged file look sound again (of three in four, or of all). `share`: how many inputs it gets of those asked for,
 * by how long one takes.
 */
export const loadTargets = async () => {
  const { files, pickles, wrapped } = await torch();
  const mnistLabels = { "train-labels-idx1-ubyte": idx([2]) };
  const official = await data("latents/official.hdf5");
  const texts = [ALIASES, await config("quickstart.yaml")].map((text) => Buffer.from(text));
  const target = (name, reader, file, seeds, more = {}) => ({
    ...plain,
    name,
    reader,
    file,
    seeds,
    share: 1,
    beside: {},
    ...more,
  });
  return [
    target("safetensors", "safetensors", "f.safetensors", safetensors(), { fix: fixSafetensors, share: 4 }),
    target("safetensors index", "index", "f.json", index(), { kind: "text", share: 2 }),
    target("torch archive", "torch", "f.pt", files, { share: 2 }),
    target("torch pickle", "torch", "f.pt", pickles, {
      share: 6,
      fix: (bytes, below) => wrapped(bytes, below, 0),
      always: true,
    }),
    target("torch pickle, deflated", "torch", "f.pt", pickles, {
      fix: (bytes, below) => wrapped(bytes, below, 6),
      always: true,
    }),
    target("torch before 1.6", "torch", "f.pt", [await data("torch/kinds-old.pt")], { share: 3 }),
    target("checkpoint's layout", "checkpoint", "f.pt", [await data("torch/official.pt")], { share: 1 }),
    target("GraphDef", "graphdef", "f.pb", graphs(), { share: 4 }),
    target("npy", "npy", "f.npy", npys(), { share: 4 }),
    target("npz", "npz", "f.npz", npys().map(npzOf(0)), { share: 2 }),
    target("npz, deflated", "npz", "f.npz", npys().map(npzOf(6)), { share: 1 }),
    target("npy in npz", "npz-images", "f.npz", npys(), { share: 2, fix: npzOf(0), always: true }),
    target("npy in npz, deflated", "npz-images", "f.npz", npys(), { fix: npzOf(6), always: true }),
    target("labels in npz", "npz-images", "f.npz", [labels()], { fix: labelled, always: true }),
    target("PNG", "image", "f.png", [await png(), await png({ progressive: true }), await png({ palette: true })], {
      fix: fixPng,
      spots: SPOTS.png,
    }),
    target("JPEG", "image", "f.jpg", [await picture("jpeg"), await picture("jpeg", { progressive: true })], {
      spots: SPOTS.jpeg,
    }),
    target("WebP", "image", "f.webp", [await picture("webp"), await picture("webp", { lossless: true })], {
      spots: SPOTS.webp,
    }),
    target("GIF", "image", "f.gif", [await picture("gif")], { spots: SPOTS.gif }),
    target("tar", "tar", "f.tar", await tars(), { kind: "tar", fix: fixTar, share: 4 }),
    target("HDF5", "latents", "f.hdf5", [official], { share: 1, spots: SPOTS.hdf5 }),
    target("CIFAR-10", "cifar", "data_batch_1.bin", cifar(), { share: 2 }),
    target("CIFAR-10, gzip", "cifar", "data_batch_1.bin.gz", cifar(), { fix: gzipped }),
    target("MNIST", "mnist", "train-images-idx3-ubyte", [idx([2, 28, 28])], {
      share: 2,
      beside: mnistLabels,
      spots: SPOTS.idx,
    }),
    target("MNIST, gzip", "mnist", "train-images-idx3-ubyte.gz", [idx([2, 28, 28])], {
      beside: mnistLabels,
      fix: gzipped,
      spots: SPOTS.idx,
    }),
    target("MNIST labels", "mnist", "train-labels-idx1-ubyte", [idx([2])], {
      beside: { "train-images-idx3-ubyte": idx([2, 28, 28]) },
    }),
    target("YAML", "yaml", "f.yaml", texts, { kind: "text" }),
    target("YAML for import", "import-yaml", "f.yaml", texts, { kind: "text", share: 0.5 }),
    target("description of a model", "description", "config.json", descriptions(), { kind: "text" }),
  ];
};
