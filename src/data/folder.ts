import { basename, join } from "node:path";
import { UserError } from "../errors.js";
import { listIfPresent, statIfPresent } from "../files/index.js";
import type { Dataset } from "./dataset.js";
import { readBytes, requireFolder } from "./files.js";
import { inspectFile } from "./header.js";
import { decodeImage, IMAGE_ENDINGS, isImageName, mostImageBytes, shapeOf, type WantedShape } from "./image.js";

type Listing = { readonly folders: readonly string[]; readonly images: readonly string[] };

/** What a folder holds, by name, links followed; hidden entries, which systems and tools leave about, are passed over. */
const list = async (folder: string): Promise<Listing> => {
  const names = ((await listIfPresent(folder)) ?? []).filter((name) => !name.startsWith(".")).sort();
  const paths = names.map((name) => join(folder, name));
  // Only what is not named like an image is looked at: a folder of a million images costs no million calls.
  const isFolder = await Promise.all(
    paths.map(async (path) => !isImageName(path) && !!(await statIfPresent(path))?.isDirectory()),
  );
  return { folders: paths.filter((_, i) => isFolder[i]), images: paths.filter(isImageName) };
};

/** Every image in a folder and the folders inside it, in order of path. */
const imagesIn = async (folder: string): Promise<string[]> => {
  const { folders, images } = await list(folder);
  return [...images, ...(await Promise.all(folders.map(imagesIn))).flat()].sort();
};

type Labelled = { readonly file: string; readonly label: number };

/** The images of class folders. Throws when a class would be empty or an image would belong to none. */
const labelled = async (path: string, { folders, images }: Listing): Promise<Labelled[]> => {
  if (images[0])
    throw new UserError(
      `data.path: ${path} holds images beside its class folders, such as ${images[0]}; move them into a class folder`,
    );
  const perClass = await Promise.all(folders.map(imagesIn));
  const empty = folders.find((_, i) => perClass[i]!.length === 0);
  if (empty)
    throw new UserError(
      `data.path: the class folder ${empty} holds no images (${IMAGE_ENDINGS.join(", ")}); add some or remove it`,
    );
  return perClass.flatMap((files, label) => files.map((file) => ({ file, label })));
};

/**
 * A folder of images: each subfolder is a class, in order of name; a folder without subfolders is one class, "all".
 * Images of other sizes are cut and scaled as `decodeImage` says.
 */
export const openFolder = async (path: string, wanted: WantedShape): Promise<Dataset> => {
  const holds = `images (${IMAGE_ENDINGS.join(", ")}), one subfolder for each class`;
  await requireFolder(path, holds);
  const listing = await list(path);
  const { folders, images } = listing;
  const files = folders.length > 0 ? await labelled(path, listing) : images.map((file) => ({ file, label: 0 }));
  if (files.length === 0) throw new UserError(`data.path: ${path} holds no images; it must hold ${holds}`);
  return {
    name: path,
    shape: shapeOf(wanted),
    classes: folders.length > 0 ? folders.map((folder) => basename(folder)) : ["all"],
    length: files.length,
    read: async (index) => {
      const { file, label } = files[index]!;
      return {
        pixels: await decodeImage(await readBytes(file, mostImageBytes(wanted.maxPixels)), wanted, file),
        label,
      };
    },
    inspect: (index) => inspectFile(files[index]!.file, wanted),
    source: (index) => files[index]!.file,
    close: async () => {},
  };
};
