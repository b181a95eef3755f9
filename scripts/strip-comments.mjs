// What browsers load is shipped without its docstrings: types keep them. Lines keep their numbers, so source maps stay right.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../dist/", import.meta.url));
const folders = ["browser", "editing", "random"];
const files = folders.flatMap((folder) => readdirSync(root + folder).map((name) => `${folder}/${name}`));

for (const file of [...files, "errors.js", "runtime/webFiles.js"].filter((name) => name.endsWith(".js"))) {
  const text = readFileSync(root + file, "utf8");
  const blank = (comment) => comment.replace(/[^\n]+/g, "");
  writeFileSync(root + file, text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\/$/gm, blank));
}
