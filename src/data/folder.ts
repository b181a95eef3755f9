import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.js";
import type { Dataset, ImageShape } from "./dataset.js";
import { decodeImage, IMAGE_ENDINGS, isImageName } from "./image.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

const imagesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && isImageName(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name)).sort();
};

/** A folder of images: each subfolder is a class, in order of name; a folder without subfolders is one class. */
export const openFolder = async (path: string, shape: ImageShape): Promise<Dataset> => {
  const holds = `images (${IMAGE_ENDINGS.join(", ")}), one subfolder for each class`;
  await requireFolder(path, holds);
  const entries = await readdir(path, { withFileTypes: true });
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const classes = folders.length > 0 ? folders : ["all"];
  const perClass = await Promise.all(classes.map((name) => imagesIn(folders.length > 0 ? join(path, name) : path)));
  const files = perClass.flatMap((images, label) => images.map((file) => ({ file, label })));
  if (files.length === 0) throw new UserError(`data.path: ${path} holds no images; it must hold ${holds}`);
  return {
    name: path,
    shape,
    classes,
    length: files.length,
    read: async (index) => {
      const { file, label } = files[index]!;
      return { pixels: await decodeImage(await readFile(file), shape, file), label };
    },
    source: (index) => files[index]!.file,
    close: async () => {},
  };
};
