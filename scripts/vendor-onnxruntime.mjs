// Puts ONNX Runtime's library for Node into vendor/onnxruntime-node: the files of the npm package onnxruntime-node that soflow
// uses, for every platform that it has, without the package's install script, which downloads CUDA files from elsewhere and
// fails the whole installation where it cannot (docs/design/installation.md). Its licence is in licenses/onnxruntime. `npm run build` calls it; it does nothing where the
// folder is complete. npm brings the package's archive, from its cache or the registry that it is set to, and runs nothing in it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";

const VERSION = "1.30.0";
/** Of the package's archive: these bytes and no others are used. */
const SHA512 = "twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==";

/** The library, and the addon of onnxruntime-node that the portable runtime uses; not DirectML, WebGPU's compiler or a second copy. */
const LIBRARIES =
  /^bin\/napi-v6\/\w+\/\w+\/(onnxruntime_binding\.node|libonnxruntime\.so\.1|libonnxruntime\.1\.dylib|onnxruntime\.dll)$/;
const SCRIPTS = /^dist\/\w+\.(js|js\.map|d\.ts)$/;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "vendor", "onnxruntime-node");

/** No scripts, and of its dependencies the one that its code uses. */
const description = (given) => ({
  name: given.name,
  version: given.version,
  description: "Files of the npm package onnxruntime-node, without its install script.",
  license: given.license,
  repository: given.repository,
  main: given.main,
  types: given.types,
  dependencies: { "onnxruntime-common": given.dependencies["onnxruntime-common"] },
});

/** Written last: the folder is complete where it is there, with these contents. */
const stamp = { path: join(folder, "source.json"), text: `${JSON.stringify({ version: VERSION, sha512: SHA512 })}\n` };

const isComplete = () => existsSync(stamp.path) && readFileSync(stamp.path, "utf8") === stamp.text;

/** Settings of the npm that may have started this do not reach the one that it starts: `npm pack --dry-run` would fetch nothing. */
const environment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^npm_config_(dry_run|json|global|location|workspaces?|prefix|local_prefix|pack_destination)$/i.test(name),
    ),
  );

const npm = (words, cwd) => {
  const program = process.env.npm_execpath;
  const options = { cwd, env: environment(), stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" };
  const viaNode = program !== undefined && /npm-cli\.c?js$/.test(program);
  if (viaNode) return execFileSync(process.execPath, [program, ...words], options);
  return execFileSync("npm", words, { ...options, shell: process.platform === "win32" });
};

/** The package's archive, unpacked in memory: path in the package → bytes. */
const fetchPackage = async (temporary) => {
  console.log(`fetching onnxruntime-node ${VERSION} with npm, for the library in it`);
  npm(["pack", `onnxruntime-node@${VERSION}`, "--silent", "--ignore-scripts"], temporary);
  const archive = readFileSync(join(temporary, `onnxruntime-node-${VERSION}.tgz`));
  const found = createHash("sha512").update(archive).digest("base64");
  if (found !== SHA512) throw new Error(`onnxruntime-node ${VERSION} came with the SHA-512 ${found}, not ${SHA512}`);
  const files = new Map();
  const reader = extract();
  reader.end(gunzipSync(archive));
  for await (const entry of reader) {
    const chunks = [];
    for await (const chunk of entry) chunks.push(chunk);
    files.set(entry.header.name.replace(/^package\//, ""), Buffer.concat(chunks));
  }
  return files;
};

const write = (path, bytes) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
};

const vendor = async () => {
  mkdirSync(dirname(folder), { recursive: true });
  const temporary = mkdtempSync(join(dirname(folder), "fetching-"));
  try {
    const files = await fetchPackage(temporary);
    const made = join(temporary, "made");
    const wanted = [...files].filter(([path]) => LIBRARIES.test(path) || SCRIPTS.test(path));
    for (const [path, bytes] of wanted) write(join(made, path), bytes);
    const given = JSON.parse(files.get("package.json").toString());
    write(join(made, "package.json"), `${JSON.stringify(description(given), null, 2)}\n`);
    write(join(made, "source.json"), stamp.text);
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};

if (!isComplete()) await vendor();
