import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveComparison } from "./schema.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

const TEXT = `
data: { kind: glyphs, size: 8, samples: 100 }
model: { patch: 2, width: 32, depth: 1, heads: 2 }
batch: 4
budget: { steps: 10 }
methods: { a: { objective: { kind: soflow } }, b: { objective: { kind: ddpm } } }
out: runs/before
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-comparison-"));
  await mkdir(at("moved", "seed-0"), { recursive: true });
  for (const path of [at("moved", "compare.yaml"), at("compare.yaml"), at("moved", "mine.yaml")])
    await writeFile(path, TEXT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the configuration of a comparison that was moved means the folder it lies in, another file what it says", () => {
  expect(resolveComparison(at("moved", "compare.yaml")).out).toBe(at("moved"));
  expect(resolveComparison(at("moved", "compare.yaml"), ["out=elsewhere"]).out).toBe("elsewhere");
  expect(resolveComparison(at("moved", "mine.yaml")).out).toBe("runs/before");
  expect(resolveComparison(at("compare.yaml")).out).toBe("runs/before");
});
