import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { InferenceSession, Tensor } from "#onnxruntime-node";
import type { RunRequest } from "../src/browser/messages.js";
import { sampleNoise } from "../src/random/sampleNoise.js";
import { openRuntime } from "../src/runtime/index.js";
import { Generator, readWeights } from "../src/train/generate.js";
import { openSource } from "../src/train/source.js";

/** The same evaluations of an exported model, made by each runtime that it is for. */

/** What a model is asked for: one step from noise, or x from t to s. */
export type Ask = RunRequest;
/** Values of each answer, in order. */
export type Answers = readonly (readonly number[])[];

const INPUT = { "model.onnx": "noise", "solution.onnx": "x" } as const;
const INSIDE = { t: 0.7, s: 0.2 } as const;

/** One-step images in batches of each of `counts`, then as many values of the solution function between two times. */
export const asksFor = (counts: readonly number[], size: number, classes: number): Ask[] =>
  (["model.onnx", "solution.onnx"] as const).flatMap((model) =>
    counts.map((count) => {
      const x = new Float32Array(count * size);
      for (let i = 0; i < count; i++) x.set(sampleNoise(count, i, 0, size), i * size);
      const labels = Array.from({ length: count }, (_, i) => (i + count) % classes);
      return { model, x, labels, ...(model === "solution.onnx" && INSIDE) };
    }),
  );

const clamped = (values: Iterable<number>): number[] => Array.from(values, (x) => Math.min(1, Math.max(-1, x)));

function* between(t: number, s: number) {
  yield { program: "step", at: { t, s }, fresh: false };
}

/** The trained model itself, on the engine that trained it. */
export const byEngine = async (source: string, asks: readonly Ask[]): Promise<Answers> => {
  const runtime = await openRuntime({ threads: 2 });
  const { description, file, prefix } = await openSource(source, "ema", "test");
  try {
    const weights = await readWeights(description, (name) => file.read(prefix + name));
    const answers: number[][] = [];
    for (const { x, labels, t = 1, s = 0, model } of asks) {
      const [batch, size] = [labels.length, x.length / labels.length];
      const generator = await Generator.create(runtime, description, { sampler: "solution", steps: 1, batch }, weights);
      const samples = labels.map((label, i) => ({ label, noise: () => x.subarray(i * size, (i + 1) * size) }));
      const { images } = await generator.draw(samples, { moves: between(t, s) });
      answers.push(model === "model.onnx" ? clamped(images) : Array.from(images));
      generator.release();
    }
    return answers;
  } finally {
    await file.close();
    await runtime.close();
  }
};

/** onnxruntime-node. */
export const byNode = async (folder: string, shape: readonly number[], asks: readonly Ask[]): Promise<Answers> => {
  const answers: number[][] = [];
  for (const { model, x, labels, t, s } of asks) {
    const n = labels.length;
    const session = await InferenceSession.create(join(folder, model));
    const label = new Tensor("int64", BigInt64Array.from(labels, BigInt), [n]);
    const time = (value: number) => new Tensor("float32", new Float32Array(n).fill(value), [n]);
    const feeds: Record<string, Tensor> = { [INPUT[model]]: new Tensor("float32", x, [n, ...shape]), label };
    if (t !== undefined) feeds.t = time(t);
    if (s !== undefined) feeds.s = time(s);
    const output = (await session.run(feeds))[session.outputNames[0]!]!;
    answers.push(Array.from(output.data as Float32Array));
    await session.release();
  }
  return answers;
};

const run = promisify(execFile);
/** The Python that has onnxruntime. */
export const PYTHON = process.env.SOFLOW_PYTHON ?? "python3";
export const hasPython = await run(PYTHON, ["-c", "import onnxruntime, numpy"]).then(
  () => true,
  () => false,
);

const SCRIPT = `
import json, sys
import numpy as np, onnxruntime as ort
folder, shape, asks = sys.argv[1], json.loads(sys.argv[2]), json.load(open(sys.argv[3]))
answers = []
for ask in asks:
    session = ort.InferenceSession(folder + "/" + ask["model"], providers=["CPUExecutionProvider"])
    n = len(ask["labels"])
    feeds = {("noise" if ask["model"] == "model.onnx" else "x"): np.array(ask["x"], np.float32).reshape([n, *shape]), "label": np.array(ask["labels"], np.int64)}
    feeds.update({name: np.full([n], ask[name], np.float32) for name in ("t", "s") if name in ask})
    answers.append(session.run(None, feeds)[0].ravel().tolist())
json.dump(answers, sys.stdout)
`;

/** Python's onnxruntime; `scratch` is a file that it may write. */
export const byPython = async (
  folder: string,
  shape: readonly number[],
  asks: readonly Ask[],
  scratch: string,
): Promise<Answers> => {
  await writeFile(scratch, JSON.stringify(asks.map((ask) => ({ ...ask, x: Array.from(ask.x) }))));
  const words = ["-c", SCRIPT, folder, JSON.stringify(shape), scratch];
  const { stdout } = await run(PYTHON, words, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as Answers;
};

/** The library's own worker in a page; `url` is where the page finds the exported folder. */
export const byPage = (page: Page, device: "wasm" | "webgpu", url: string, asks: readonly Ask[]): Promise<Answers> =>
  page.evaluate(
    async ([kind, path, given]) => {
      const worker = new Worker("/dist/browser/worker.js", { type: "module" });
      const ask = (request: object) =>
        new Promise<Record<string, unknown>>((resolve, reject) => {
          worker.onerror = (event) => reject(new Error(event.message));
          worker.onmessage = ({ data }: MessageEvent<Record<string, unknown>>) => {
            if (data.kind === "failed") reject(new Error(String(data.message)));
            else if (data.kind !== "progress") resolve(data);
          };
          worker.postMessage({ id: 0, ...request });
        });
      const options = {
        url: path,
        runtime: new URL("/ort/", document.baseURI).href,
        device: kind,
        threads: 2,
        headers: {},
      };
      await ask({ kind: "load", options });
      const answers: number[][] = [];
      for (const { x, ...rest } of given) {
        const { values } = await ask({ kind: "run", request: { ...rest, x: Float32Array.from(x) } });
        answers.push(Array.from(values as Float32Array));
      }
      worker.terminate();
      return answers;
    },
    [device, url, asks.map((ask) => ({ ...ask, x: Array.from(ask.x) }))] as const,
  );

/** The largest difference of each answer from the wanted one; NaN where they are not of one length. */
export const distances = (answers: Answers, wanted: Answers): number[] =>
  answers.map((a, k) =>
    a.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - wanted[k]![i]!)),
      a.length === wanted[k]!.length ? 0 : Number.NaN,
    ),
  );
