import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRuntime, type Runtime } from "../src/runtime/index.js";
import { checkpointPaths } from "../src/train/checkpoint.js";
import { parseConfig } from "../src/train/config/index.js";
import { runTraining } from "../src/train/run.js";
import { runPaths } from "../src/train/runFolder.js";
import { openSafetensors } from "../src/train/safetensorsFile.js";

/** The CIFAR-10 recipe, tiny: a U-Net told of augmentation, dropout, RAdam, a float64 average applied every few steps. */
const CONFIG = `
seed: 3
data: { kind: glyphs, size: 8, samples: 20, augment: 0.5 }
model: { kind: unet, width: 8, depth: 1, multipliers: [1, 2], dropout: 0.3, augment: 6 }
optimizer: { kind: radam, learningRate: 1.0e-2 }
ema: { decay: 0.9, every: 4, precision: float64 }
train: { steps: 9, batch: 8, checkpointEvery: 100, sampleEvery: 5, sampleCount: 4, threads: 1 }
`;

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-recipe-"));
  runtime = await openRuntime({ threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true, force: true });
});

/** Trains in a folder of this name, in a command each for the steps up to which it gets. */
const trained = async (name: string, stops: readonly number[]): Promise<string> => {
  const out = join(folder, name);
  const config = parseConfig(CONFIG, "recipe.yaml", [`out=${JSON.stringify(out)}`]);
  for (const stop of [...stops, config.train.steps]) {
    const abort = new AbortController();
    await runTraining({
      config,
      runtime,
      signal: abort.signal,
      onProgress: ({ step }) => step === stop && abort.abort(),
    });
  }
  return out;
};

const tensorsOf = (out: string) => checkpointPaths(runPaths(out).checkpoints, 9).tensors;

test("stopped between two applications of the average, at one and before the first, a run ends with the same bytes", async () => {
  const [whole, stopped] = [await trained("whole", []), await trained("stopped", [2, 4, 7])];
  expect((await readFile(tensorsOf(stopped))).equals(await readFile(tensorsOf(whole)))).toBe(true);
  const model = (out: string) => readFile(join(runPaths(out).model, "model.safetensors"));
  expect((await model(stopped)).equals(await model(whole))).toBe(true);
});

test("a run whose average was in float32, such as an imported one, goes on in float64", async () => {
  const started = parseConfig(CONFIG, "recipe.yaml", ["ema.precision=float32", `out=${join(folder, "imported")}`]);
  const abort = new AbortController();
  const onProgress = ({ step }: { step: number }) => step === 2 && abort.abort(); // before the average's first step
  await runTraining({ config: started, runtime, signal: abort.signal, onProgress });
  const out = join(folder, "goes-on");
  const config = parseConfig(CONFIG, "recipe.yaml", [`out=${out}`]);
  const resumeFrom = checkpointPaths(runPaths(started.out).checkpoints, 2).tensors;
  await runTraining({ config, runtime, resumeFrom });
  expect((await readFile(tensorsOf(out))).equals(await readFile(tensorsOf(join(folder, "whole"))))).toBe(true);
});

test("checkpoints hold the average in float64, the model is the same rounded to float32", async () => {
  const out = await trained("saved", []);
  const checkpoint = await openSafetensors(tensorsOf(out));
  const model = await openSafetensors(join(runPaths(out).model, "model.safetensors"));
  const names = [...checkpoint.header.entries.keys()].filter((name) => name.startsWith("ema."));
  expect(names.length).toBeGreaterThan(10);
  let finer = 0;
  for (const name of names) {
    expect(checkpoint.header.entries.get(name)!.dtype).toBe("F64");
    const average = await checkpoint.readWhole(name);
    finer += average.filter((x) => Math.fround(x) !== x).length;
    expect(await model.read(name.slice("ema.".length))).toEqual(Float32Array.from(average));
    expect(model.header.entries.get(name.slice("ema.".length))!.dtype).toBe("F32");
  }
  expect(finer).toBeGreaterThan(100);
  expect(checkpoint.header.entries.get("m.map_augment.weight")?.dtype).toBe("F32");
  expect((await checkpoint.read("m.map_augment.weight")).some((m) => m !== 0)).toBe(true); // the network was told
  await checkpoint.close();
  await model.close();
});
