// Checks which folder of src/ imports which, that no files import one another in a circle, that node:* stays out of
// what a browser runs, and that ONNX Runtime is imported by src/runtime alone. Usage: node scripts/check-layers.mjs [root]
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const GRAPH = ["graph", "ops", "autodiff"];
const ENGINE = [...GRAPH, "onnx", "runtime"];
const BELOW_TRAIN = [
  "files",
  ...ENGINE,
  "nn",
  "models",
  "paths",
  "objectives",
  "samplers",
  "optim",
  "methods",
  "data",
  "eval",
  "distributed",
];

/** What every folder may import; among themselves, leaves import only errors and dtype (src/graph/dtype.ts). */
const LEAVES = ["errors", "dtype", "random", "formats", "fields", "checks"];
/** Folder → folders it may import, beside itself and LEAVES. */
const ALLOWED = {
  errors: [],
  fields: ["paths"], // of path names, types alone
  dtype: [],
  random: [],
  formats: [],
  checks: [],
  graph: [],
  ops: ["graph"],
  autodiff: ["graph", "ops"],
  onnx: ["graph", "ops"],
  runtime: [...GRAPH, "onnx"],
  nn: GRAPH,
  models: [...GRAPH, "nn"],
  paths: GRAPH,
  objectives: [...GRAPH, "paths"],
  samplers: [...GRAPH, "paths"],
  optim: GRAPH,
  editing: [...GRAPH, "paths"],
  methods: [...GRAPH, "nn", "paths", "objectives", "samplers"],
  files: [],
  data: ["files"],
  eval: [...ENGINE, "nn", "models", "optim", "data"],
  distributed: ["graph", "runtime"],
  train: [...BELOW_TRAIN, "editing"],
  compare: [...BELOW_TRAIN, "train"],
  verify: [...BELOW_TRAIN, "train"],
  serve: [...BELOW_TRAIN, "train", "editing"],
  browser: ["runtime", "editing", "train"], // of train types alone
  cli: [...BELOW_TRAIN, "train", "compare", "verify", "serve"],
  index: [...BELOW_TRAIN, "train", "compare", "verify", "serve", "editing"],
};
const NODE = /^(files|data|train|compare|verify|serve|cli|distributed)\/|^runtime\/(native|portable|index|workerUrl)/;

const walk = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : /\.ts$/.test(path) && !/\.(test|d)\.ts$/.test(path) ? [path] : [];
  });

const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");

/** Modules named by `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`; types alone are marked. */
const importsOf = (text) => {
  const code = withoutComments(text);
  const statements = code.matchAll(
    /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{][^;"']*?\sfrom\s*)?["']([^"']+)["']/gm,
  );
  const calls = code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g);
  return [
    ...[...statements].map(([, type, module]) => ({ module, typeOnly: type !== undefined, deferred: false })),
    ...[...calls].map(([, module]) => ({ module, typeOnly: false, deferred: true })),
  ];
};

/** `ops/add.ts` belongs to `ops`, `errors.ts` to `errors`; element types and shapes are a leaf of their own. */
const layerOf = (file) => (file === "graph/dtype.ts" ? "dtype" : file.split("/")[0].replace(/\.ts$/, ""));

const mayImport = (from, to) => {
  if (from === to) return true;
  if (LEAVES.includes(to)) return !LEAVES.includes(from) || to === "errors" || to === "dtype";
  return ALLOWED[from]?.includes(to) ?? true; // a folder without a rule is reported once, as such
};

const violationOf = ({ file, module, target }, files) => {
  const from = layerOf(file);
  if (module.startsWith("node:"))
    return NODE.test(file) ? undefined : `${module}, but this file must also run in a browser`;
  if (/^#?onnxruntime-/.test(module))
    return from === "runtime" || from === "browser" ? undefined : `${module}, which only src/runtime may import`;
  if (target === undefined) return undefined;
  if (!module.endsWith(".js")) return `${module}, which lacks the suffix .js`;
  if (!files.has(target)) return `${module}, which does not exist`;
  const to = layerOf(target);
  return mayImport(from, to) ? undefined : `${target}; ${from} may not import ${to}`;
};

/** The first circle of imports that run at load, as a list of files, or undefined. Types and import() are no circle. */
const findCycle = (edges) => {
  const state = new Map();
  const trail = [];
  const visit = (file) => {
    if (state.get(file) === "done") return undefined;
    if (state.get(file) === "open") return [...trail.slice(trail.indexOf(file)), file];
    state.set(file, "open");
    trail.push(file);
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    trail.pop();
    state.set(file, "done");
    return undefined;
  };
  for (const file of edges.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
};

const check = (root) => {
  const source = join(root, "src");
  const name = (path) => relative(source, path).split(sep).join("/");
  const files = new Map(existsSync(source) ? walk(source).map((path) => [name(path), path]) : []);
  const imports = [...files].flatMap(([file, path]) =>
    importsOf(readFileSync(path, "utf8")).map((found) => ({
      file,
      ...found,
      target: found.module.startsWith(".")
        ? name(join(dirname(path), found.module.replace(/\.js$/, ".ts")))
        : undefined,
    })),
  );
  const strangers = [...new Set([...files.keys()].map(layerOf))].filter((layer) => !(layer in ALLOWED));
  const loaded = imports.filter(({ typeOnly, deferred, target }) => !typeOnly && !deferred && files.has(target));
  const cycle = findCycle(groupTargets(loaded));
  const violations = [
    ...strangers.map((layer) => `src/${layer}: no rule for this folder; add it to ALLOWED in scripts/check-layers.mjs`),
    ...imports.flatMap((found) => {
      const violation = violationOf(found, files);
      return violation === undefined ? [] : [`src/${found.file} imports ${violation}`];
    }),
    ...(cycle ? [`a circle of imports: ${cycle.map((file) => `src/${file}`).join(" → ")}`] : []),
  ];
  return { files: files.size, imports: imports.length, violations };
};

const groupTargets = (loaded) => {
  const edges = new Map();
  for (const { file, target } of loaded) edges.set(file, [...(edges.get(file) ?? []), target]);
  return edges;
};

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));
const { files, imports, violations } = check(root);
if (violations.length === 0) console.log(`layers: ${files} files, ${imports} imports, no violations`);
for (const violation of violations) console.error(`layers: ${violation}`);
process.exitCode = violations.length === 0 ? 0 : 1;
