// Installs soflow as its users do: packs this checkout, installs the archive into an empty folder with only the npm registry
// reachable, and there imports it, checks its types, runs `soflow doctor` and trains two steps. Run `npm run build` first.
//   node scripts/check/install.mjs                on Node 20, 22 and 24, each with the npm that it brings (npm packages too)
//   node scripts/check/install.mjs current        on this Node, with the npm on the PATH
// Everything but the registry is behind a proxy that refuses: a connection to it is an attempted download, and fails the check.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Releases of Node, and the version of npm that each brings. */
const RELEASES = { 20: "10.8.2", 22: "10", 24: "11" };
const UNREACHABLE = 3;

const CONFIG = `
data: { kind: glyphs, size: 8 }
model: { patch: 4, width: 16, depth: 1, heads: 1 }
objective: { kind: soflow }
train: { steps: 2, batch: 4, checkpointEvery: 2, threads: 1 }
`;
const CONSUMER = `
import { runTraining, SoFlow } from "soflow";
import { SoFlow as InPage } from "soflow/web";
export const found: readonly [typeof runTraining, typeof SoFlow.fromPretrained, typeof InPage.load] =
  [runTraining, SoFlow.fromPretrained, InPage.load];
`;

const fail = (text, code = 1) => {
  console.error(text);
  process.exit(code);
};

const setting = (name) => execFileSync("npm", ["config", "get", name], { cwd: tmpdir(), encoding: "utf8" }).trim();

/** What of this machine's npm settings leads to the registry; nothing else of them reaches the installation. */
const registrySettings = () => {
  const names = ["registry", "cache", "cafile"];
  const given = names.map((name) => [`npm_config_${name}`, setting(name)]);
  return Object.fromEntries(given.filter(([, value]) => value !== "null" && value !== "undefined"));
};

/** A proxy that refuses everything and counts. */
const openProxy = async () => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(403).end();
  });
  server.on("connect", (request, socket) => {
    asked.push(request.url);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, asked, close: () => server.close() };
};

/** Every way in which a program may be told of a proxy. */
const proxied = (address, registry) => {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
  const all = names.flatMap((name) => [name, name.toLowerCase(), `GLOBAL_AGENT_${name}`]);
  const { hostname } = new URL(registry);
  return { ...Object.fromEntries(all.map((name) => [name, address])), NO_PROXY: hostname, no_proxy: hostname };
};

const npmProgram = (words, options) => execFileSync("npm", words, { stdio: ["ignore", "pipe", "pipe"], ...options });

const pack = (folder) => {
  if (!existsSync(join(root, "dist", "index.js"))) fail("dist/ is not built: npm run build");
  npmProgram(["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], { cwd: root });
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".tgz")),
  );
};

/** A release of Node with its npm, as folders to put before the PATH and the command that is npm. */
const toolchain = (folder, release) => {
  if (release === "current") return { path: dirname(process.execPath), npm: "npm", npx: "npx" };
  const target = join(folder, `node-${release}`);
  mkdirSync(target);
  writeFileSync(join(target, "package.json"), "{}");
  const packages = [
    `node-${process.platform.replace("win32", "win")}-${process.arch}@${release}`,
    `npm@${RELEASES[release]}`,
  ];
  npmProgram(["install", "--no-save", "--ignore-scripts", ...packages], { cwd: target });
  const modules = join(target, "node_modules");
  const node = packages[0].split("@")[0];
  return { path: `${join(modules, node, "bin")}${delimiter}${join(modules, ".bin")}`, npm: "npm", npx: "npx" };
};

const run = promisify(execFile);

const check = async (release, archive, temporary, registry) => {
  const { path, npm, npx } = toolchain(temporary, release);
  const proxy = await openProxy();
  const [home, folder] = ["home", "empty"].map((name) => join(temporary, `${name}-${release}`));
  for (const made of [home, folder]) mkdirSync(made);
  const env = {
    PATH: `${path}${delimiter}${process.env.PATH}`,
    HOME: home,
    USERPROFILE: home,
    ...(process.env.SystemRoot && { SystemRoot: process.env.SystemRoot }),
    ...(process.env.NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS }),
    ...registry,
    ...proxied(proxy.address, registry.npm_config_registry),
  };
  const options = { cwd: folder, env, shell: process.platform === "win32", maxBuffer: 1e8 };
  const [{ stdout: node }, { stdout: version }] = [await run("node", ["-v"], options), await run(npm, ["-v"], options)];
  const start = performance.now();
  const installed = await run(npm, ["install", "--no-audit", archive], options);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const imported = await run(
    "node",
    ["--input-type=module", "-e", 'await import("soflow"); console.log("ok")'],
    options,
  );
  const { stdout: doctor } = await run(npx, ["--no-install", "soflow", "doctor"], options);
  writeFileSync(join(folder, "tiny.yaml"), CONFIG);
  await run(npx, ["--no-install", "soflow", "train", "--config", "tiny.yaml", "--set", "out=run"], options);
  writeFileSync(join(folder, "consumer.mts"), CONSUMER);
  const types = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--lib",
    "es2023,dom",
    "--skipLibCheck",
  ];
  cpSync(join(root, "node_modules", "@types"), join(folder, "node_modules", "@types"), { recursive: true });
  await run("node", [join(root, "node_modules/typescript/bin/tsc"), ...types, "consumer.mts"], options);
  proxy.close();
  return {
    node: node.trim(),
    npm: version.trim(),
    seconds: Number(seconds),
    imported: imported.stdout.trim() === "ok",
    runtime: /^runtime +(.*)$/m.exec(doctor)?.[1],
    trained: existsSync(join(folder, "run", "model", "model.safetensors")),
    elsewhere: proxy.asked,
    left: readdirSync(home).filter((name) => name !== ".npm"),
    warnings: installed.stderr.split("\n").filter((line) => /warn/i.test(line)),
  };
};

const releases = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(RELEASES);
const temporary = mkdtempSync(join(tmpdir(), "soflow-install-"));
try {
  const registry = registrySettings();
  try {
    npmProgram(["view", "onnxruntime-common@1.30.0", "version"], { cwd: tmpdir() });
  } catch {
    fail(`the npm registry, ${registry.npm_config_registry}, cannot be reached`, UNREACHABLE);
  }
  const archive = pack(temporary);
  for (const release of releases) {
    const found = await check(release, archive, temporary, registry);
    console.log(JSON.stringify(found));
    const good = found.imported && found.trained && found.runtime?.startsWith("native-cpu");
    if (!good || found.elsewhere.length > 0 || found.left.length > 0) process.exitCode = 1;
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
