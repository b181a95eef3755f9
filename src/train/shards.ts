import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { isPresent } from "../files/index.js";
import { shown } from "../formats/randomAccess.js";
import { makeFolder, writeFileAtomically } from "./files.js";
import {
  type OpenSafetensors,
  openPlainFile,
  openSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "./safetensorsFile.js";

/** Bytes of tensors in one file; a larger model is kept in several, as Hugging Face's libraries do. */
export const LARGEST_FILE = 4e9;

const WEIGHTS = "model.safetensors";
const INDEX = `${WEIGHTS}.index.json`;

const shardName = (i: number, n: number): string =>
  `model-${String(i + 1).padStart(5, "0")}-of-${String(n).padStart(5, "0")}.safetensors`;

const bytesOf = ({ shape, precision }: StoredTensor): number =>
  shape.reduce((n, d) => n * d, 1) * (precision === "float64" ? 8 : 4);

/** Tensors in their order, in groups of at most `limit` bytes; one that is larger is alone. */
const grouped = (tensors: readonly StoredTensor[], limit: number): StoredTensor[][] => {
  const groups: StoredTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    if (bytes > 0 && bytes + bytesOf(tensor) > limit) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(tensor);
    bytes += bytesOf(tensor);
  }
  return groups;
};

/** Writes a model's tensors into its folder: model.safetensors, or shards with their index. */
export const writeWeights = async (
  folder: string,
  tensors: readonly StoredTensor[],
  limit = LARGEST_FILE,
): Promise<void> => {
  await makeFolder(folder);
  const groups = grouped(tensors, limit);
  const metadata = { format: "pt" };
  if (groups.length === 1) {
    await writeSafetensors(join(folder, WEIGHTS), tensors, metadata);
    await rm(join(folder, INDEX), { force: true });
    return;
  }
  const weightMap: Record<string, string> = {};
  for (const [i, group] of groups.entries()) {
    const name = shardName(i, groups.length);
    await writeSafetensors(join(folder, name), group, metadata);
    for (const tensor of group) weightMap[tensor.name] = name;
  }
  const totalSize = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
  await writeFileAtomically(join(folder, INDEX), `${JSON.stringify(index, null, 2)}\n`);
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isShardName = (name: unknown): name is string =>
  typeof name === "string" && basename(name) === name && name.endsWith(".safetensors");

/** Files of a model; the largest that are published have a few hundred. */
const MOST_SHARDS = 4096;

/** File names in an index, each once. Throws a `UserError` for anything that is no list of files beside it. */
export const shardsOf = (text: string, path: string): readonly string[] => {
  try {
    const index: unknown = JSON.parse(text);
    const map = isRecord(index) ? index.weight_map : undefined;
    const names = isRecord(map) ? [...new Set(Object.values(map))] : [];
    if (names.length === 0) throw new Error("it has no weight_map");
    if (names.length > MOST_SHARDS) throw new Error(`it names ${names.length} files; at most ${MOST_SHARDS} are read`);
    const odd = names.find((name) => !isShardName(name));
    if (odd !== undefined) throw new Error(`it names ${shown(JSON.stringify(odd))}, which is no file beside it`);
    return names as string[];
  } catch (thrown) {
    throw new UserError(`${path} is no index of shards: ${shown(messageOf(thrown), 200)}`);
  }
};

const closeAll = async (files: readonly OpenSafetensors[]): Promise<void> => {
  for (const file of files) await file.close();
};

/** Bytes of an index, as many as those of a header of one file. */
const LARGEST_INDEX = 2 ** 23;

const readIndex = async (path: string): Promise<string> => {
  const { file, size } = await openPlainFile(path);
  try {
    if (size > LARGEST_INDEX)
      throw new UserError(`${path} is no index of shards: it has ${size} bytes; at most ${LARGEST_INDEX} are read`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
};

const openShards = async (index: string): Promise<OpenSafetensors> => {
  const files: OpenSafetensors[] = [];
  try {
    for (const name of shardsOf(await readIndex(index), index))
      files.push(await openSafetensors(join(dirname(index), name)));
  } catch (thrown) {
    await closeAll(files);
    throw thrown;
  }
  const holder = new Map(files.flatMap((file) => [...file.header.entries.keys()].map((name) => [name, file] as const)));
  const entries = new Map(files.flatMap((file) => [...file.header.entries]));
  const holderOf = (name: string): OpenSafetensors => {
    const file = holder.get(name);
    if (!file) throw new UserError(`${index} has no tensor ${name}`);
    return file;
  };
  return {
    path: index,
    header: { ...files[0]!.header, entries },
    read: async (name) => holderOf(name).read(name),
    readWhole: async (name) => holderOf(name).readWhole(name),
    close: () => closeAll(files),
  };
};

/** Opens a model folder's weights, in one file or in several. */
export const openWeights = (folder: string): Promise<OpenSafetensors> =>
  isPresent(join(folder, INDEX)) ? openShards(join(folder, INDEX)) : openSafetensors(join(folder, WEIGHTS));

/** The names of a model folder's files of weights. */
export const WEIGHT_FILES = { whole: WEIGHTS, index: INDEX } as const;
