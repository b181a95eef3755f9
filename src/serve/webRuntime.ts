import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { WEB_FILES } from "../runtime/webFiles.js";

/** The files of the installed onnxruntime-web that pages load, each with its place on the disk. */
export const webRuntimeFiles = (): ReadonlyMap<string, string> => {
  const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const names = Object.values(WEB_FILES).flatMap(({ script, loads }) => [script, ...loads]);
  return new Map(names.map((name) => [name, join(folder, name)]));
};
