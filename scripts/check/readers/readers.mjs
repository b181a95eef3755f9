// What is watched by ../fuzz.mjs and ../limits.mjs: every reader of files, opened the way the program opens it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const IMAGE = { channels: 3, height: 16, width: 16, enlarge: true };

/** Opens a dataset and reads its first samples. */
const samples = async (opened) => {
  const dataset = await opened;
  try {
    for (let i = 0; i < Math.min(4, dataset.length); i++) await dataset.read(i);
  } finally {
    await dataset.close();
  }
};

/** By name: reads the file at `path`, which a fuzzer wrote; `from` imports a module of the build. */
export const loadReaders = async (dist) => {
  const from = (path) => import(join(dist, path));
  const { openSafetensors } = await from("train/safetensorsFile.js");
  const { shardsOf } = await from("train/shards.js");
  const { openCheckpoint } = await from("train/import/file.js");
  const { layoutOf } = await from("train/import/layout.js");
  const { openTorch } = await from("formats/torch/checkpoint.js");
  const { fromBytes } = await from("formats/randomAccess.js");
  const { openWebDataset } = await from("data/webdataset.js");
  const { openCifar10, openMnist } = await from("data/binary.js");
  const { openLatents } = await from("data/latents/latents.js");
  const { decodeImage } = await from("data/image.js");
  const { openFolder } = await from("data/folder.js");
  const { decodeNpy, decodeNpz } = await from("formats/npz.js");
  const { readGraphConstants } = await from("formats/graphdef.js");
  const { npzImages } = await from("train/evaluate/imageSet.js");
  const { resolveConfig } = await from("train/config/index.js");
  const { readImportConfig } = await from("train/import/config.js");
  const { readDescription } = await from("train/model.js");
  const { UserError } = await from("errors.js");
  const whole = async (path, decode) => decode(new Uint8Array(await readFile(path)), path);
  const readers = {
    safetensors: async (path) => {
      const file = await openSafetensors(path);
      try {
        for (const name of file.header.entries.keys()) await file.readWhole(name);
      } finally {
        await file.close();
      }
    },
    index: (path) => whole(path, (bytes) => shardsOf(new TextDecoder().decode(bytes), path)),
    torch: (path) =>
      whole(path, async (bytes) => {
        const { tensors } = await openTorch(fromBytes(bytes, path));
        for (const { read } of tensors.values()) await read();
      }),
    checkpoint: async (path) => {
      const checkpoint = await openCheckpoint(path);
      try {
        await layoutOf(checkpoint);
      } finally {
        await checkpoint.close();
      }
    },
    graphdef: (path) => whole(path, readGraphConstants),
    npy: (path) => whole(path, decodeNpy),
    npz: (path) => whole(path, decodeNpz),
    "npz-images": async (path) => {
      const set = await npzImages(path);
      try {
        await set.read(0, Math.min(4, set.length));
      } finally {
        await set.close();
      }
    },
    image: (path) => whole(path, (bytes) => decodeImage(bytes, IMAGE, path)),
    tar: (path) => samples(openWebDataset(path, IMAGE)),
    latents: (path) => samples(openLatents({ path, size: 2, channels: 4 })),
    // A path is that of the file in the dataset's folder.
    cifar: (path) => samples(openCifar10(join(path, ".."))),
    mnist: (path) => samples(openMnist(join(path, ".."))),
    folder: (path) => samples(openFolder(join(path, ".."), IMAGE)),
    yaml: async (path) => resolveConfig({ file: path }),
    description: readDescription,
    "import-yaml": async (path) => readImportConfig(path, []),
  };
  return { readers, UserError };
};
