import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { isPresent } from "../files/index.js";
import { makeFolder, writeFileAtomically } from "./files.js";
import { type OpenSafetensors, openSafetensors, type StoredTensor, writeSafetensors } from "./safetensorsFile.js";

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

/** File names in an index, each once. Throws a `UserError` for anything that is no list of files beside it. */
export const shardsOf = (text: string, path: string): readonly string[] => {
  try {
    const map = (JSON.parse(text) as { weight_map?: Record<string, unknown> }).weight_map ?? {};
    const names = [...new Set(Object.values(map))];
    if (names.length === 0) throw new Error("it has no weight_map");
    const odd = names.find(
      (name) => typeof name !== "string" || basename(name) !== name || !name.endsWith(".safetensors"),
    );
    if (odd !== undefined) throw new Error(`it names ${JSON.stringify(odd)}, which is no file beside it`);
    return names as string[];
  } catch (thrown) {
    throw new UserError(`${path} is no index of shards: ${messageOf(thrown)}`);
  }
};

const closeAll = async (files: readonly OpenSafetensors[]): Promise<void> => {
  for (const file of files) await file.close();
};

const openShards = async (index: string): Promise<OpenSafetensors> => {
  const files: OpenSafetensors[] = [];
  try {
    for (const name of shardsOf(await readFile(index, "utf8"), index))
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
