import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../src/train/config/index.js";
import { evaluate, evaluateRepeats, trainFeatures } from "../src/train/evaluate/index.js";
import { runTraining } from "../src/train/run.js";

const DATA = "data: { kind: glyphs, size: 8, samples: 300 }";

let folder: string;
let hash: string;
const at = (name: string): string => join(folder, name);
const configOf = (out: string, overrides: readonly string[] = []) =>
  parseConfig(
    `${DATA}
model: { patch: 2, width: 32, depth: 1, heads: 2 }
optimizer: { learningRate: 1.0e-3 }
ema: { decay: 0.5 }
train: { steps: 5, batch: 8, logEvery: 2, sampleEvery: 5, checkpointEvery: 2, sampleCount: 4, threads: 1 }
evaluation: { every: 2, features: ${at("features")}, cache: ${at("cache")}, count: 40 }
out: ${at(out)}`,
    "tiny.yaml",
    overrides,
  );
const figuresOf = async (out: string) => {
  const lines = (await readFile(join(at(out), "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, number>).filter((line) => `FD-tiny-${hash}` in line);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-evaluation-"));
  await writeFile(
    at("data.yaml"),
    `${DATA}\nmodel: { patch: 2, width: 32, depth: 1, heads: 2 }\ntrain: { steps: 1, batch: 1 }`,
  );
  const training = { steps: 3, batch: 8, size: 8, seed: 0, threads: 1 };
  ({ hash } = await trainFeatures({ data: at("data.yaml"), out: at("features"), name: "tiny", ...training }));
  await runTraining({ config: configOf("whole") });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("evaluation.every", () => {
  test("puts figures among the metrics, every so many steps and at the end, and draws them", async () => {
    const figures = await figuresOf("whole");
    expect(figures.map(({ step }) => step)).toEqual([2, 4, 5]);
    for (const { accuracy } of figures) expect(accuracy).toBeLessThanOrEqual(1);
    expect(await readFile(join(at("whole"), "distances.svg"), "utf8")).toContain(`FD-tiny-${hash}`);
  });

  test("gives what soflow evaluate gives for the same model, reference and seed", async () => {
    const results = await evaluate({
      samples: join(at("whole"), "model"),
      reference: at("data.yaml"),
      features: at("features"),
      cache: at("cache"),
      out: at("evaluated"),
      count: 40,
      draw: { seed: 0 },
      threads: 1,
    });
    const last = (await figuresOf("whole")).at(-1)!;
    expect(results!.metric in last).toBe(true);
    expect(results!.scores.frechet / last[results!.metric]!).toBeCloseTo(1, 3); // a pixel may round otherwise in another batch
    expect(results!.scores.accuracy).toBeCloseTo(last.accuracy!, 1);
  });

  test("goes on with the same figures after a stop", async () => {
    const stop = new AbortController();
    const onProgress = ({ step }: { step: number }): void => void (step === 3 && stop.abort());
    await runTraining({ config: configOf("stopped"), signal: stop.signal, onProgress });
    await runTraining({ config: configOf("stopped") });
    expect(await figuresOf("stopped")).toEqual(await figuresOf("whole"));
  });

  test("does not keep a stop from saving first: SIGKILL may follow before it has ended", async () => {
    const config = configOf("saved", ["train.checkpointEvery=100"]);
    const stop = new AbortController();
    const onProgress = ({ step }: { step: number }): void => void (step === 2 && stop.abort());
    const saved: boolean[] = [];
    const onNote = (text: string): void => {
      if (text.startsWith("step 2: ")) saved.push(existsSync(join(config.out, "checkpoints", "step-00000002.json")));
    };
    await runTraining({ config, signal: stop.signal, onProgress, onNote });
    expect(saved).toEqual([true]);
  });

  test("is refused for what is no image, and where there are no features", async () => {
    const points =
      "data: { kind: points, name: moons }\nmodel: { kind: mlp, width: 8, depth: 1 }\ntrain: { steps: 1, batch: 8 }";
    expect(() => parseConfig(points, "points.yaml", ["evaluation.every=1"])).toThrow(
      "evaluation.every is 1; features are taken of images, not of points: it must be null",
    );
    const config = configOf("absent", [`evaluation.features=${at("nothing")}`]);
    await expect(runTraining({ config })).rejects.toThrow(`${at("nothing")} holds no features`);
  });
});

describe("repeats", () => {
  const options = () => ({
    samples: join(at("whole"), "model"),
    reference: at("data.yaml"),
    features: at("features"),
    cache: at("cache"),
    out: at("repeated"),
    count: 30,
    draw: { seed: 4 },
    threads: 1,
  });

  test("draw with as many seeds, each in a folder of its own, and say how much figures move", async () => {
    const { seeds, figures, results } = await evaluateRepeats(options(), 2);
    expect(seeds).toEqual([4, 5]);
    const [first, second] = results.map(({ scores }) => scores.frechet) as [number, number];
    expect(first).not.toBe(second);
    expect(figures[0]).toEqual({
      name: `FD-tiny-${hash}`,
      value: (first + second) / 2,
      deviation: [expect.closeTo(Math.abs(first - second) / Math.SQRT2, 9), "seeds"],
    });
    expect(await readFile(join(at("repeated"), "index.html"), "utf8")).toContain('href="seed-5/index.html"');
    expect(JSON.parse(await readFile(join(at("repeated"), "results.json"), "utf8")).seeds).toEqual([4, 5]);
    await expect(readFile(join(at("repeated"), "seed-4", "results.json"), "utf8")).resolves.toContain('"frechet"');
  });

  test("are refused for images that are there, for parts, and an autoencoder is where nothing is decoded", async () => {
    await expect(evaluateRepeats({ ...options(), samples: at("some.npz") }, 2)).rejects.toThrow(
      `--repeats draws anew with other seeds; ${at("some.npz")} is no model, its images are what they are`,
    );
    await expect(evaluateRepeats({ ...options(), part: { index: 1, of: 2 } }, 2)).rejects.toThrow(
      "--repeats goes with neither --part nor --merge",
    );
    await expect(evaluate({ ...options(), draw: { seed: 0, vae: at("vae") } })).rejects.toThrow(
      "this model draws images itself; leave out --vae",
    );
  });
});
