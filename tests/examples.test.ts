import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

test("the library example trains and draws", async () => {
  const folder = await mkdtemp(join(tmpdir(), "soflow-example-"));
  const { stdout } = await run(process.execPath, ["examples/train-and-sample.mjs", join(folder, "run")], { cwd: root });
  expect(stdout).toMatch(/after 20 steps: velocity error \d/);
  expect(existsSync(join(folder, "run", "threes-and-fives.png"))).toBe(true);
  await rm(folder, { recursive: true });
});

test.each(["soflow", "meanflow", "flow-matching", "diffusion", "consistency"])(
  "the example of %s trains, and draws by every sampler it names",
  async (name) => {
    const folder = await mkdtemp(join(tmpdir(), "soflow-example-"));
    const source = await readFile(join(root, "examples", `${name}.mjs`), "utf8");
    const { stdout } = await run(process.execPath, [`examples/${name}.mjs`, join(folder, "run"), "300"], { cwd: root });
    const drawn = [...stdout.matchAll(/^(\w+): (\d+) evaluations?, sliced Wasserstein distance (\d\.\d+)$/gm)];
    expect(drawn.map(([, sampler]) => sampler)).toEqual([...source.matchAll(/sampler: "(\w+)"/g)].map(([, s]) => s));
    const distances = drawn.map(([, , , distance]) => Number(distance));
    expect(Math.min(...distances)).toBeLessThan(0.6); // untrained samples are 0.7 or more away
    expect(source.split("\n").length).toBeLessThan(48);
    await rm(folder, { recursive: true });
  },
);

test("the bare engine trains a one-step model of points, and samples from it", async () => {
  const source = await readFile(join(root, "examples", "engine.ts"), "utf8");
  const script = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: 99 },
  }).outputText;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script, "--", "engine.ts", "400"], {
    cwd: root,
  });
  const [, distance] = /^400 steps: sliced Wasserstein distance of one-step samples (\d\.\d+)$/m.exec(stdout) ?? [];
  expect(Number(distance)).toBeLessThan(0.3); // noise itself is 0.6 away
});

test("the engine's example in docs/how-to/use-as-a-library.md", async () => {
  const script = `
    import { evaluate, gradients, lower, openRuntime, ops } from "soflow";
    const x = ops.input("x", { dtype: "float32", shape: [3] });
    const y = ops.exp(x).mul(x).sum();
    const [dy] = gradients(y, [x]);
    const runtime = await openRuntime();
    const { y: value, dy: slope } = await evaluate(runtime, lower("example", { y, dy }), { x: Float32Array.of(0, 1, 2) });
    await runtime.close();
    console.log(JSON.stringify([value[0], ...slope]));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
  const [value, ...slope] = JSON.parse(stdout) as number[];
  expect(value).toBeCloseTo(Math.E + 2 * Math.E ** 2, 4);
  [0, 1, 2].forEach((x, i) => {
    expect(slope[i]).toBeCloseTo((1 + x) * Math.exp(x), 4);
  });
});
