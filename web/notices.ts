import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

/** Beside the app's index.html, and so in every folder that `soflow site` writes. */
export const NOTICES = "THIRD-PARTY-NOTICES.txt";

type Notice = { readonly title: string; readonly texts: readonly string[] };

const read = (path: string): string => readFileSync(path, "utf8").trim();

/** The folder of the package that a file in node_modules belongs to. */
const packageFolder = (file: string): string => {
  const folder = dirname(file);
  const path = join(folder, "package.json");
  const isRoot = existsSync(path) && JSON.parse(read(path)).version !== undefined;
  return isRoot ? folder : packageFolder(folder);
};

/** Name, version and licence of a package; an error where it has no licence file. */
const noticeOf = (folder: string): Notice => {
  const { name, version, license } = JSON.parse(read(join(folder, "package.json")));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)\b/i.test(file));
  if (files.length === 0) throw new Error(`${name} ${version} is bundled, but ${folder} has no licence file`);
  return { title: `${name} ${version} (${license})`, texts: files.sort().map((file) => read(join(folder, file))) };
};

/** Its files are not bundled: `soflow serve` and `soflow site` put them beside the app. */
const onnxRuntime = (): Notice => {
  const folder = fileURLToPath(new URL("../licenses/onnxruntime", import.meta.url));
  const texts = ["LICENSE", "ThirdPartyNotices.txt"].map((file) => read(join(folder, file)));
  return { title: "ONNX Runtime (MIT), with what is built into it", texts };
};

const RULE = "=".repeat(80);

const write = (notices: readonly Notice[]): string => {
  const contents = notices.map(({ title }) => `  ${title}`).join("\n");
  const sections = notices.map(({ title, texts }) => `${RULE}\n${title}\n${RULE}\n\n${texts.join("\n\n")}\n`);
  return `This app contains code of others, under these licences:\n\n${contents}\n\n${sections.join("\n")}`;
};

/**
 * Writes the licences of all packages whose code is in the bundles of the app and its workers: `app` collects and writes,
 * `worker` collects what workers contain, which are built before the app's bundle is written.
 */
export const thirdPartyNotices = (): { readonly app: Plugin; readonly worker: Plugin } => {
  const folders = new Set<string>();
  const collect = (ids: Iterable<string>): void => {
    for (const id of ids) {
      const file = id.replace(/[?#].*$/, "");
      if (file.includes("/node_modules/") && existsSync(file)) folders.add(packageFolder(file));
    }
  };
  return {
    worker: {
      name: "third-party-notices-of-workers",
      generateBundle() {
        collect(this.getModuleIds());
      },
    },
    app: {
      name: "third-party-notices",
      generateBundle() {
        collect(this.getModuleIds());
        const notices = [...[...folders].sort().map(noticeOf), onnxRuntime()];
        this.emitFile({ type: "asset", fileName: NOTICES, source: write(notices) });
      },
    },
  };
};
