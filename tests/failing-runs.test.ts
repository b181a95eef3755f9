import { mkdirSync, readdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { samplingOrder } from "../src/data/index.js";
import { listCheckpoints } from "../src/train/checkpoint.js";
import { openSource } from "../src/train/source.js";
import { fault } from "./faults.js";
import { contents, loggedSteps, refused, train } from "./training.js";

vi.mock("node:fs/promises", async (original) => (await import("./faults.js")).faulty(await original()));

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
const checkpoints = (run: string): Promise<number[]> => listCheckpoints(at(run, "checkpoints"));
const model = (run: string): Promise<Buffer> => readFile(at(run, "model", "model.safetensors"));

const IMAGES = 40;
const BATCH = 4;
const imageName = (i: number): string => `${String(i).padStart(2, "0")}.png`;

/** A folder of noisy images. */
const makeImages = async (name: string): Promise<void> => {
  await mkdir(at(name), { recursive: true });
  for (let i = 0; i < IMAGES; i++)
    await sharp(Buffer.from(Uint8Array.from({ length: 9 * 9 * 3 }, (_, k) => (k * k * (i + 7)) % 251)), {
      raw: { width: 9, height: 9, channels: 3 },
    })
      .png()
      .toFile(at(name, imageName(i)));
};

const imagesOf = (path: string, more = ""): string[] => [`data={kind: folder, path: '${path}', size: 8${more}}`];

/** The image that a run needs first at a step, from 0. */
const neededAt = (step: number): string => imageName(samplingOrder(3, IMAGES)(step * BATCH + 1));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-failing-"));
  await train(at("whole"));
  await makeImages("photos");
  await makeImages("damaged");
  truncateSync(at("damaged", neededAt(6)), 120); // its header is whole
});
afterEach(() => {
  fault.path = undefined;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const REMEDY = "repair what is named, or pass over such images with data.onError: skip (--set data.onError=skip)";

test("all bad headers are named together before step 1, with the remedy, and nothing is written", async () => {
  await makeImages("bad");
  for (const i of [3, 5, 7, 20, 30, 31, 39]) await writeFile(at("bad", imageName(i)), "this is no picture");
  const message = await refused(at("never"), imagesOf(at("bad")));
  for (const i of [3, 5, 7, 20, 30])
    expect(message).toContain(`${imageName(i)} is not a whole jpeg, png or webp image`);
  expect(message).toContain(": 7 of 40 images cannot be used: ");
  expect(message.endsWith(`; and 2 more; ${REMEDY}`)).toBe(true);
  expect(message).not.toContain("\n");
  expect(readdirSync(folder)).not.toContain("never");
});

test("an image that turns out to be damaged: the last step is saved, and the remedy resumes the run", async () => {
  const message = await refused(at("stopped"), imagesOf(at("damaged")));
  expect(message).toMatch(/^\S+damaged\/\d\d\.png is not a whole jpeg, png or webp image: /);
  expect(message.endsWith(`; step 6 is saved, and the same command resumes from it; ${REMEDY}`)).toBe(true);
  expect(await checkpoints("stopped")).toEqual([4, 6]);
  await symlink(at("damaged"), at("linked"));
  const spelled = `${relative(process.cwd(), at("linked"))}/`;
  await train(at("stopped"), imagesOf(spelled, ", onError: skip, workers: 1"));
  await train(at("skipped"), imagesOf(at("damaged"), ", onError: skip"));
  expect((await model("stopped")).equals(await model("skipped"))).toBe(true);
  expect(loggedSteps(at("stopped"))).toEqual(loggedSteps(at("whole")));
});

test("other data are still another configuration, unless those of before are gone", async () => {
  await train(at("own"), [...imagesOf(at("photos")), "train.steps=4"]);
  expect(await refused(at("own"), imagesOf(at("damaged")))).toContain("another configuration: data differs");
  renameSync(at("photos"), at("moved-photos"));
  const { notes } = await train(at("own"), [...imagesOf(at("moved-photos")), "train.steps=8"]);
  expect(notes).toContain(
    `data.path was ${at("photos")}, which is no longer there; ${at("moved-photos")} is taken to hold the same`,
  );
  renameSync(at("moved-photos"), at("photos"));
});

test("an image that vanishes: the last step is saved; the resumed run says that the data are others", async () => {
  await makeImages("vanishing");
  const remove = ({ step }: { step: number }): void => {
    if (step === 1) rmSync(at("vanishing", neededAt(6)));
  };
  const message = await refused(at("vanished"), imagesOf(at("vanishing")), { onProgress: remove });
  expect(message).toMatch(/\d\d\.png cannot be read: it is not there; step 6 is saved, and the same command resumes/);
  const { notes } = await train(at("vanished"), imagesOf(at("vanishing")));
  expect(notes).toContain(
    `${at("vanishing")} has 39 samples, and had 40 when step 6 was saved: the batches are others from here on`,
  );
});

test.each([
  ["metrics", /metrics\.jsonl$/, "metrics.jsonl could not be written: the disk is full; step 1 is saved"],
  [
    "metrics and checkpoints",
    /metrics\.jsonl$|\.safetensors/,
    "metrics.jsonl could not be written: the disk is full; step 1 could not be saved either (",
  ],
  ["TensorBoard events", /tfevents/, "could not be written: the disk is full; step 1 is saved"],
  ["samples", /samples\/\.step.*\.tmp$/, "step-00000006.png could not be written: the disk is full;"],
  ["a checkpoint", /step-00000008\.safetensors/, "the disk is full; what was there before is unchanged;"],
  ["a checkpoint's JSON", /step-00000008\.json/, "the disk is full; what was there before is unchanged;"],
  ["the model", /model\.safetensors/, "model.safetensors could not be written: the disk is full;"],
])(
  "a disk that is full when it comes to %s: one line, what was saved stays, and it resumes",
  async (kind, path, text) => {
    const run = `full-${kind.replace(/\W/g, "-")}`;
    const fill = (): void => void Object.assign(fault, { path, code: "ENOSPC" }); // once training is under way
    const message = await refused(at(run), [], { onProgress: fill });
    expect(message).toContain(text);
    expect(message).not.toContain("\n");
    fault.path = undefined;
    const left = readdirSync(at(run), { recursive: true, encoding: "utf8" });
    expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const saved = await checkpoints(run);
    const tensors = left.filter((name) => /checkpoints\/.*\.safetensors$/.test(name));
    expect(tensors).toHaveLength(saved.length); // nothing lies about that no JSON vouches for
    for (const step of saved) expect(message).toContain(saved.at(-1) === step ? `step ${step} is ` : "");
    await train(at(run));
    expect((await model(run)).equals(await model("whole"))).toBe(true);
  },
);

test("after a divergence the checkpoint with a sane loss is named, and was kept", async () => {
  const latest = { resumeFrom: at("diverging", "checkpoints", "latest") };
  const long = ["train.checkpointEvery=10", "train.sampleEvery=1000"];
  await train(at("diverging"), [...long, "train.steps=40"]);
  expect(await checkpoints("diverging")).toEqual([20, 30, 40]);
  const wild = [...long, "train.steps=80", "optimizer.learningRate=3"];
  const { notes } = await train(at("diverging"), wild, latest);
  expect(notes).toContain("the checkpoint of step 40 is kept: it is the last one with a sane loss");
  expect(await checkpoints("diverging")).toEqual([40, 60, 70, 80]);
  const ruined = [...long, "train.steps=120", "optimizer.learningRate=1e38"];
  const message = await refused(at("diverging"), ruined, latest);
  expect(message).toMatch(/^step 8\d: \w+ is (Infinity|NaN); its batch is samples \d+ to \d+ of the run \(images /);
  const good = at("diverging", "checkpoints", "step-00000040.safetensors");
  expect(message).toMatch(/; the last good checkpoint, its weights finite and its loss sane \(\d\.\d+\), is /);
  expect(message).toContain(`, is ${good}; of step 60, 70, 80 it was over 10 times the lowest of the run`);
  expect(message).toContain("; a lower learning rate or optimizer.clipNorm may help");
  expect(await checkpoints("diverging")).toEqual([40, 60, 70, 80]);
});

test("what killed runs left half-written goes at the next start; other programs' files stay", async () => {
  const mine = [".config.yaml.1.tmp", ".network.json.9.tmp", ".metrics.jsonl.77.tmp", ".curves.svg.7.tmp"];
  const deeper = ["checkpoints/.step-00000004.safetensors.5.tmp", "checkpoints/.step-00000004.json.5.tmp"];
  const inner = ["samples/.step-00000006.png.5.tmp", "model/.model.safetensors.5.tmp", "model/.README.md.5.tmp"];
  const others = [".sheet.png.12.tmp", ".lock.12.tmp", "samples/.notes.tmp", "samples/mine.png"];
  for (const name of ["checkpoints", "samples", "model"]) mkdirSync(at("killed", name), { recursive: true });
  for (const name of [...mine, ...deeper, ...inner, ...others]) await writeFile(at("killed", name), "half");
  await train(at("killed"), ["train.steps=1"]);
  const left = readdirSync(at("killed"), { recursive: true, encoding: "utf8" });
  for (const name of [...mine, ...deeper, ...inner]) expect(left).not.toContain(name);
  for (const name of others) expect(left).toContain(name);
});

test("train.steps below what is done: said so, and nothing is changed", async () => {
  await train(at("longer"));
  const before = contents(at("longer"));
  const latest = at("longer", "checkpoints", "step-00000012.safetensors");
  expect(await refused(at("longer"), ["train.steps=8"])).toBe(
    `train.steps is 8, but ${latest} has done 12; nothing was changed; give train.steps of 12 or more, ` +
      `or train a shorter run in another folder than ${at("longer")} with --out`,
  );
  expect(contents(at("longer"))).toEqual(before);
});

test.each([
  ["both files", ["safetensors", "json"]],
  ["the tensors alone, over another's", ["safetensors"]],
])("a checkpoint that was renamed is noticed: %s", async (_, endings) => {
  const run = `renamed-${endings.length}`;
  await train(at(run));
  const path = (step: number, ending: string): string =>
    at(run, "checkpoints", `step-${String(step).padStart(8, "0")}.${ending}`);
  for (const ending of endings) renameSync(path(8, ending), path(endings.length === 2 ? 20 : 12, ending));
  const named = endings.length === 2 ? 20 : 12;
  const before = contents(at(run));
  const text =
    `checkpoint ${path(named, "safetensors")} holds step 8, not ${named}: it was renamed; ` +
    "give both of its files their names back, step-00000008.safetensors and step-00000008.json";
  expect(await refused(at(run), ["train.steps=24"])).toBe(text);
  expect(contents(at(run))).toEqual(before);
  rmSync(at(run, "model"), { recursive: true });
  await expect(openSource(at(run), "ema", "sample")).rejects.toThrow(text);
});
