import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";
import type { Dataset, ImageShape } from "./dataset.js";
import { decodeImage, isImageName } from "./image.js";
import { type Member, readMember, tarMembers } from "./tar.js";

/** `{0000..0004}` spelled out, as WebDataset's own patterns have it. */
const expandRanges = (pattern: string): string[] => {
  const match = /\{(\d+)\.\.(\d+)\}/.exec(pattern);
  if (!match) return [pattern];
  const [range, from = "", to = ""] = match;
  const numbers = Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) =>
    String(Number(from) + i).padStart(from.length, "0"),
  );
  return numbers.flatMap((number) => expandRanges(pattern.replace(range, number)));
};

const matching = async (pattern: string): Promise<string[]> => {
  const file = basename(pattern);
  if (!/[*?]/.test(file)) return (await stat(pattern).catch(() => undefined)) ? [pattern] : [];
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

/** A sample of a shard: its image, and where its label is written. */
type Entry = { readonly shard: number; readonly image: Member; readonly label: number };

/** The key of a member: its path up to the first dot of the file name. */
const keyOf = (name: string): string => join(dirname(name), basename(name).split(".")[0]!);

const labelOf = async (file: FileHandle, member: Member, path: string): Promise<number> => {
  const text = new TextDecoder().decode(await readMember(file, member));
  const where = `${path}: ${member.name}`;
  const value = member.name.endsWith(".json") ? jsonLabel(text, where) : Number(text.trim() || Number.NaN);
  if (!Number.isInteger(value) || value < 0)
    throw new UserError(
      `${where} holds the label ${JSON.stringify(text.trim().slice(0, 40))}; a label is a whole number from 0`,
    );
  return value;
};

const jsonLabel = (text: string, where: string): number => {
  try {
    const { label, cls } = JSON.parse(text) as { label?: unknown; cls?: unknown };
    return Number(label ?? cls ?? Number.NaN);
  } catch (thrown) {
    throw new UserError(`${where} is not JSON: ${messageOf(thrown)}`);
  }
};

const indexShard = async (file: FileHandle, path: string, shard: number): Promise<Entry[]> => {
  const samples = new Map<string, { image?: Member; label?: Member }>();
  for (const member of await tarMembers(file, path)) {
    const sample = samples.get(keyOf(member.name)) ?? {};
    samples.set(keyOf(member.name), sample);
    if (isImageName(member.name)) sample.image = member;
    else if (/\.(cls|json)$/.test(member.name)) sample.label = member;
  }
  const entries: Entry[] = [];
  for (const { image, label } of samples.values()) {
    if (!image) continue;
    if (!label)
      throw new UserError(`${path}: ${image.name} has no label; ${keyOf(image.name)}.cls or .json must be beside it`);
    entries.push({ shard, image, label: await labelOf(file, label, path) });
  }
  return entries;
};

/** WebDataset shards: tar files in which a sample is an image and, under the same key, `.cls` or `.json` with its label. */
export const openWebDataset = async (pattern: string, shape: ImageShape): Promise<Dataset> => {
  const paths = (await Promise.all(expandRanges(pattern).map(matching))).flat();
  if (paths.length === 0)
    throw new UserError(`data.path: no file matches ${pattern}; give a tar, or a pattern such as shards/train-*.tar`);
  const files = await Promise.all(paths.map((path) => open(path)));
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    const entries = (await Promise.all(files.map((file, i) => indexShard(file, paths[i]!, i)))).flat();
    if (entries.length === 0) throw new UserError(`data.path: ${pattern} holds no images`);
    const count = entries.reduce((most, { label }) => Math.max(most, label + 1), 0);
    const source = (index: number): string => `${paths[entries[index]!.shard]}: ${entries[index]!.image.name}`;
    return {
      name: pattern,
      shape,
      classes: Array.from({ length: count }, (_, i) => String(i)),
      length: entries.length,
      read: async (index) => {
        const { shard, image, label } = entries[index]!;
        return { pixels: await decodeImage(await readMember(files[shard]!, image), shape, source(index)), label };
      },
      source,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
};
