import { type FileHandle, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { shown } from "../formats/randomAccess.js";
import type { Dataset } from "./dataset.js";
import { openFile } from "./files.js";
import { inspectImage } from "./header.js";
import { decodeImage, isImageName, mostImageBytes, shapeOf, type WantedShape } from "./image.js";
import { MOST_CLASSES } from "./labels.js";
import { type Member, readMember, tarMembers } from "./tar.js";

/** Files of a data set; each is kept open. */
const MOST_SHARDS = 100_000;

/** `{0000..0004}` spelled out, as WebDataset's own patterns have it. */
const expandRanges = (pattern: string): string[] => {
  const match = /\{(\d+)\.\.(\d+)\}/.exec(pattern);
  if (!match) return [pattern];
  const [range, from = "", to = ""] = match;
  if (Number(to) < Number(from))
    throw new UserError(`data.path: ${pattern} counts down in ${range}; write the smaller number first`);
  if (Number(to) - Number(from) >= MOST_SHARDS)
    throw new UserError(`data.path: ${pattern} names more than ${MOST_SHARDS} files`);
  const numbers = Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) =>
    String(Number(from) + i).padStart(from.length, "0"),
  );
  return numbers.flatMap((number) => expandRanges(pattern.replace(range, number)));
};

/** The files that a pattern names; `*` and `?` stand in the file's name. */
const matching = async (pattern: string): Promise<string[]> => {
  const file = basename(pattern);
  if (!/[*?]/.test(file)) return (await stat(pattern).catch(() => undefined))?.isFile() ? [pattern] : [];
  const escaped = file
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const names = await readdir(dirname(pattern)).catch(() => []);
  return names
    .filter((name) => new RegExp(`^${escaped}$`).test(name))
    .map((name) => join(dirname(pattern), name))
    .sort();
};

/** The shards of a pattern. Throws when any part of it matches nothing: a missing shard is not passed over. */
const findShards = async (pattern: string): Promise<string[]> => {
  const patterns = expandRanges(pattern);
  if (patterns.length > MOST_SHARDS)
    throw new UserError(`data.path: ${pattern} names ${patterns.length} files; at most ${MOST_SHARDS} are read`);
  const found = await Promise.all(patterns.map(matching));
  const missing = patterns.find((_, i) => found[i]!.length === 0);
  if (missing)
    throw new UserError(`data.path: no file matches ${missing}; give a tar, or a pattern such as shards/train-*.tar`);
  return [...new Set(found.flat())];
};

/** A sample of a shard: its image, and where its label is written. */
type Entry = { readonly shard: number; readonly image: Member; readonly label: number };

/** The key of a member: its path up to the first dot of the file name. */
const keyOf = (name: string): string => join(dirname(name), basename(name).split(".")[0]!);

const isLabel = (member: string): boolean => /\.(cls|json)$/.test(member);

const jsonLabel = (text: string, where: string): unknown => {
  try {
    const { label, cls } = (JSON.parse(text) ?? {}) as { label?: unknown; cls?: unknown };
    const found = label ?? cls;
    return typeof found === "number" || typeof found === "string" ? found : undefined;
  } catch (thrown) {
    throw new UserError(`${where} is not JSON: ${shown(messageOf(thrown))}`);
  }
};

const labelOf = (member: string, text: string, path: string, classCount?: number): number => {
  const where = `${path}: ${shown(member)}`;
  const written = String((member.endsWith(".json") ? jsonLabel(text, where) : text) ?? "").trim();
  const value = /^\d+$/.test(written) ? Number(written) : Number.NaN;
  if (Number.isNaN(value))
    throw new UserError(
      `${where} holds the label ${JSON.stringify(text.trim().slice(0, 40))}; a label is a whole number from 0`,
    );
  if (value >= MOST_CLASSES)
    throw new UserError(`${where} holds the label ${value}; a label is at most ${MOST_CLASSES - 1}`);
  if (classCount !== undefined && value >= classCount)
    throw new UserError(`${where} holds the label ${value}; the dataset has labels 0 to ${classCount - 1}`);
  return value;
};

/** A label that was read on the way past; whether it is one matters only where it belongs to an image. */
type Noted = { readonly name: string; readonly label: number | UserError };

const noted = (make: () => number): number | UserError => {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof UserError) return thrown;
    throw thrown;
  }
};

const indexShard = async (file: FileHandle, path: string, shard: number, classCount?: number): Promise<Entry[]> => {
  const samples = new Map<string, { image?: Member; label?: Noted }>();
  const of = (name: string, text: string): number | UserError => noted(() => labelOf(name, text, path, classCount));
  for (const { note, ...member } of await tarMembers(file, path, { wants: isLabel, of })) {
    const sample = samples.get(keyOf(member.name)) ?? {};
    samples.set(keyOf(member.name), sample);
    if (isImageName(member.name)) sample.image = member;
    else if (note !== undefined && !sample.label?.name.endsWith(".cls"))
      sample.label = { name: member.name, label: note }; // .cls before .json
  }
  return [...samples.values()].flatMap(({ image, label }) => (image ? [entryOf(shard, image, label, path)] : []));
};

const entryOf = (shard: number, image: Member, noted: Noted | undefined, path: string): Entry => {
  if (!noted)
    throw new UserError(
      `${path}: ${shown(image.name)} has no label; ${shown(keyOf(image.name))}.cls or .json must be beside it`,
    );
  if (noted.label instanceof UserError) throw noted.label;
  return { shard, image, label: noted.label };
};

const openShard = async (path: string): Promise<FileHandle> => (await openFile(path)).file;

const indexShards = async (files: readonly FileHandle[], paths: readonly string[], classCount?: number) =>
  (await Promise.all(files.map((file, i) => indexShard(file, paths[i]!, i, classCount)))).flat();

/**
 * WebDataset shards: tar files in which a sample is an image and, under the same key, `.cls` or `.json` with its label.
 * Labels run from 0 to the largest found, or to `classCount` − 1 where that is given; one beyond is an error.
 */
export const openWebDataset = async (pattern: string, wanted: WantedShape, classCount?: number): Promise<Dataset> => {
  const paths = await findShards(pattern);
  const files = await Promise.all(paths.map(openShard));
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    const entries = await indexShards(files, paths, classCount);
    if (entries.length === 0) throw new UserError(`data.path: ${pattern} holds no images`);
    const count = classCount ?? entries.reduce((most, { label }) => Math.max(most, label + 1), 0);
    const source = (index: number): string => `${paths[entries[index]!.shard]}: ${shown(entries[index]!.image.name)}`;
    return {
      name: pattern,
      shape: shapeOf(wanted),
      classes: Array.from({ length: count }, (_, i) => String(i)),
      length: entries.length,
      read: async (index) => {
        const { shard, image, label } = entries[index]!;
        const bytes = await readMember(files[shard]!, image, source(index), mostImageBytes(wanted.maxPixels));
        return { pixels: await decodeImage(bytes, wanted, source(index)), label };
      },
      inspect: (index) => {
        const { shard, image } = entries[index]!;
        const start = (size: number) => readMember(files[shard]!, { ...image, size }, source(index));
        return inspectImage(start, image.size, wanted, source(index));
      },
      source,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
};
