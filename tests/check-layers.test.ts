import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../scripts/check-layers.mjs", import.meta.url));

/** Runs the check on a tree of files, given by their paths under src/. */
const check = (files: Readonly<Record<string, string>>) => {
  const root = mkdtempSync(join(tmpdir(), "layers-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(root, "src", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: "utf8" });
    return { status, lines: `${stdout}${stderr}`.trim().split("\n") };
  } finally {
    rmSync(root, { recursive: true });
  }
};

const LEAF = { "errors.ts": "export const x = 1;\n", "graph/tensor.ts": "export const y = 1;\n" };

test("a tree that keeps the rules", () => {
  const found = check({
    ...LEAF,
    "ops/add.ts": 'import { y } from "../graph/tensor.js";\nimport { x } from "../errors.js";\n',
    "data/files.ts": 'import { readFileSync } from "node:fs";\n',
    "formats/npy.ts": 'import type { DType } from "../graph/dtype.js";\n',
    "graph/dtype.ts": "export type DType = string;\n",
    "runtime/native/api.ts": 'import "node:path";\nimport "#onnxruntime-node";\n',
    "graph/print.ts":
      '/** import { z } from "../ops/add.js"; */\n// import "../ops/add.js";\nexport const z = "../ops/add.js";\n',
    "graph/tensor.test.ts": 'import "../cli/main.js";\n',
  });
  expect(found).toEqual({ status: 0, lines: ["layers: 8 files, 6 imports, no violations"] });
});

test.each([
  [
    "graph/a.ts",
    'import { x } from "../ops/b.js";',
    "ops/b.ts",
    "src/graph/a.ts imports ops/b.ts; graph may not import ops",
  ],
  ["objectives/a.ts", 'export {\n  x,\n} from "../models/b.js";', "models/b.ts", "objectives may not import models"],
  ["models/a.ts", 'export * from "../objectives/b.js";', "objectives/b.ts", "models may not import objectives"],
  ["train/a.ts", 'import type { X } from "../cli/b.js";', "cli/b.ts", "train may not import cli"],
  ["data/a.ts", 'const f = () => import("../graph/b.js");', "graph/b.ts", "data may not import graph"],
  ["random/a.ts", 'import "../formats/b.js";', "formats/b.ts", "random may not import formats"],
  ["ops/a.ts", 'import { x } from "../graph/b";', "graph/b.ts", "imports ../graph/b, which lacks the suffix .js"],
  ["ops/a.ts", 'import { x } from "../graph/c.js";', "graph/b.ts", "imports ../graph/c.js, which does not exist"],
  [
    "formats/a.ts",
    'import { readFileSync } from "node:fs";',
    "graph/b.ts",
    "node:fs, but this file must also run in a browser",
  ],
  ["runtime/check.ts", 'import "node:os";', "graph/b.ts", "node:os, but this file must also run in a browser"],
  [
    "eval/a.ts",
    'import * as ort from "onnxruntime-web";',
    "graph/b.ts",
    "onnxruntime-web, which only src/runtime may import",
  ],
  ["eval/a.ts", 'import "#onnxruntime-node";', "graph/b.ts", "#onnxruntime-node, which only src/runtime may import"],
  ["stray/a.ts", "export {};", "graph/b.ts", "src/stray: no rule for this folder"],
])("%s with %j is refused", (file, text, other, expected) => {
  const { status, lines } = check({ [file]: `${text}\n`, [other]: "export const x = 1;\n" });
  expect(status).toBe(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(expected);
});

test("a circle of imports is refused; one of types or of deferred imports is none", () => {
  const circle = (last: string) =>
    check({ "ops/a.ts": 'import "./b.js";\n', "ops/b.ts": 'export { x } from "./c.js";\n', "ops/c.ts": `${last}\n` });
  expect(circle('import { x } from "./a.js";')).toEqual({
    status: 1,
    lines: ["layers: a circle of imports: src/ops/a.ts → src/ops/b.ts → src/ops/c.ts → src/ops/a.ts"],
  });
  expect(circle('import type { x } from "./a.js";').status).toBe(0);
  expect(circle('export const x = () => import("./a.js");').status).toBe(0);
});
