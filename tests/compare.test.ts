import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Comparison } from "../src/compare/result.js";
import { soflow, start } from "./cli.js";

let folder: string;

const COMMON = `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 16, depth: 1 }
optimizer: { learningRate: 3.0e-3 }
ema: { decay: 0.95, warmup: true }
batch: 32
threads: 1
evaluation: { samples: 300, evaluations: [1, 2], longest: 4, curvePoints: 2, curveSamples: 100 }
`;
const METHODS = {
  soflow: "{ objective: { kind: soflow, power: 0 } }",
  edm: "{ objective: { kind: edm }, optimizer: { learningRate: 1.0e-3 } }",
  consistency: "{ objective: { kind: consistency, curriculum: { s1: 10 } } }",
};
type Name = keyof typeof METHODS;

const write = async (file: string, names: readonly Name[], budget = "{ steps: 40 }"): Promise<string> => {
  const methods = names.map((name) => `  ${name}: ${METHODS[name]}\n`).join("");
  await writeFile(join(folder, file), `${COMMON}budget: ${budget}\nmethods:\n${methods}`);
  return join(folder, file);
};
const compare = async (file: string, out: string) => soflow("compare", "--config", file, "--out", join(folder, out));
const results = async (out: string): Promise<Comparison> =>
  JSON.parse(await readFile(join(folder, out, "results.json"), "utf8")) as Comparison;
const weights = (out: string, name: Name): Promise<Buffer> =>
  readFile(join(folder, out, "seed-0", name, "model", "model.safetensors"));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-compare-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a comparison trains, measures and reports; another method is added without training the first ones again", async () => {
  const first = await compare(await write("two.yaml", ["soflow", "edm"]), "whole");
  expect(first.err).not.toContain("soflow:");
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^method\s+NFE 1\s+NFE 2\s+own best/m);
  const before = await results("whole");
  expect(before.methods.map(({ name }) => name)).toEqual(["soflow", "edm"]);
  for (const { steps, peakMemory, secondsPerStep, loss, curve, cells } of before.methods) {
    expect(steps).toBe(40);
    expect(peakMemory).toBeGreaterThan(1e7);
    expect(secondsPerStep).toBeGreaterThan(0);
    expect(loss.at(-1)![0]).toBe(40);
    expect(curve.map(([step]) => step)).toEqual([20, 40]);
    for (const { metrics, sheet } of cells) {
      expect(metrics.slicedWasserstein).toBeGreaterThan(0);
      expect(sheet).toMatch(/^data:image\/webp;base64,/);
    }
  }
  expect(before.methods[1]!.cells.map(({ evaluations, sampler }) => [evaluations, sampler])).toEqual([
    [1, "euler"],
    [2, "euler"],
    [3, "edm"],
  ]);
  const trainedAt = async () => (await stat(join(folder, "whole/seed-0/soflow/model/model.safetensors"))).mtimeMs;
  const was = await trainedAt();
  const second = await compare(await write("three.yaml", ["soflow", "edm", "consistency"]), "whole");
  expect(second.code).toBe(0);
  expect(await trainedAt()).toBe(was);
  const after = await results("whole");
  expect(after.methods.map(({ name }) => name)).toEqual(["soflow", "edm", "consistency"]);
  expect(after.methods.slice(0, 2)).toEqual(before.methods);
  expect(await readdir(join(folder, "whole"))).toEqual(
    expect.arrayContaining(["compare.yaml", "results.html", "results.json", "results.md", "seed-0"]),
  );
});

test("every method begins from the same weights, where it has the same parts", async () => {
  const initial = async (name: Name) => {
    const line = ["compare", "--config", await write("start.yaml", ["soflow", name]), "--out", join(folder, "start")];
    await soflow(...line, "--set", "optimizer.learningRate=1e-30", "--set", `methods.${name}.optimizer={}`);
    return readFile(join(folder, "start", "seed-0", name, "metrics.jsonl"), "utf8");
  };
  const text = await initial("consistency");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { loss: number });
  expect(lines.length).toBe(40);
  const [a, b] = [await weights("start", "soflow"), await weights("start", "consistency")];
  const tensor = (bytes: Buffer, name: string): Buffer => {
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { data_offsets: number[] }>;
    const [from, to] = header[name]!.data_offsets as [number, number];
    return bytes.subarray(8 + length + from, 8 + length + to);
  };
  for (const name of ["x_embedder.weight", "t_embedder.mlp.0.weight", "blocks.0.fc1.weight"])
    expect(tensor(a, name).equals(tensor(b, name)), name).toBe(true);
});

test("a comparison that is killed in its second method goes on there, and ends with the same weights", async () => {
  const file = await write("three.yaml", ["soflow", "edm", "consistency"]);
  const run = start(["compare", "--config", file, "--out", join(folder, "killed")]);
  run.process.stderr!.on("data", (text: Buffer) => {
    if (text.toString().includes("2 of 3")) setTimeout(() => run.process.kill("SIGKILL"), 400);
  });
  expect((await run.ended).code).toBe(null);
  const again = await compare(file, "killed");
  expect(again.err).not.toContain("soflow:");
  expect(again.code).toBe(0);
  for (const name of ["soflow", "edm", "consistency"] as const)
    expect((await weights("killed", name)).equals(await weights("whole", name)), name).toBe(true);
});

test.each([
  ["SIGTERM to the comparison alone", false],
  ["SIGTERM to every process", true],
] as const)(
  "%s: what is in progress is saved, nothing failed, and it ends with the same weights",
  async (out, group) => {
    const file = await write("three.yaml", ["soflow", "edm", "consistency"]);
    const run = start(["compare", "--config", file, "--out", join(folder, out)], { group });
    let sent = false;
    run.process.stderr!.on("data", (text: Buffer) => {
      if (sent || !text.toString().includes("2 of 3")) return;
      sent = true;
      const moment = group ? 0 : 600; // before the training process listens, and perhaps in its steps
      setTimeout(() => process.kill(group ? -run.process.pid! : run.process.pid!, "SIGTERM"), moment);
    });
    const { code, err } = await run.ended;
    expect(code, err).toBe(143);
    expect(err).toMatch(/soflow: stopped by SIGTERM; the same command resumes\n$/);
    expect(err).not.toContain("error");
    const again = await compare(file, out);
    expect(again.err).not.toContain("soflow:");
    expect(again.code).toBe(0);
    for (const name of ["soflow", "edm", "consistency"] as const)
      expect((await weights(out, name)).equals(await weights("whole", name)), name).toBe(true);
    const measured = async (of: string) =>
      (await results(of)).methods.map(({ name, cells, curve }) => [name, cells, curve]);
    expect(await measured(out)).toEqual(await measured("whole"));
  },
);

test("a budget in seconds becomes steps, which stay when the comparison is run again", async () => {
  const file = await write("seconds.yaml", ["soflow", "edm"], "{ seconds: 0.4 }");
  expect((await compare(file, "seconds")).code).toBe(0);
  const steps = (await results("seconds")).methods.map((method) => method.steps);
  for (const count of steps) expect(count).toBeGreaterThan(2);
  expect((await compare(file, "seconds")).code).toBe(0);
  expect((await results("seconds")).methods.map((method) => method.steps)).toEqual(steps);
});

test("a folder whose runs were trained otherwise is refused", async () => {
  const file = await write("two.yaml", ["soflow", "edm"], "{ steps: 41 }");
  const { code, err } = await compare(file, "whole");
  expect(code).toBe(2);
  expect(err.trimEnd().split("\n").at(-1)).toMatch(
    /^soflow: .*soflow was trained with another configuration than this comparison's; delete that folder to train it again, or choose another --out$/,
  );
});
