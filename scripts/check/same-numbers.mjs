// Whether a change of the code has changed any number: trains every method for 20 steps on tiny networks and compares hashes of
// weights, moments, EMA, metrics and samples with those recorded in tests/data/same-numbers.json.
//
// Usage: npm run -s build && node scripts/check/same-numbers.mjs [--record] [--only TEXT] [--out DIR] [--against DIR]
//   --record         write the hashes instead of comparing them
//   --only TEXT      cases whose name contains TEXT
//   --out DIR        keep the run folders and samples in DIR
//   --against DIR    print, for each case, the largest difference to an earlier --out, relative to the largest value
//
// Kernels differ from processor to processor, and so may the last bits. The record names the processor it was made on; on another
// one, record at the commit before the change, then compare after it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawSamples, openRuntime, parseConfig, runTraining } from "../../dist/index.js";

const RECORD = fileURLToPath(new URL("../../tests/data/same-numbers.json", import.meta.url));

const { values: flags } = parseArgs({
  options: {
    record: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    out: { type: "string" },
    against: { type: "string" },
  },
});

/** Today's name of a tensor or a metric → the recorded one, where a name has changed since. */
const RECORDED_NAMES = {};
const recorded = (name) => RECORDED_NAMES[name] ?? name;

const NETWORKS = {
  dit: { data: "{ kind: glyphs, size: 8, samples: 64 }", model: "{ patch: 2, width: 16, depth: 2, heads: 2 }" },
  unet: {
    data: "{ kind: glyphs, size: 8, channels: 3, samples: 64 }",
    model: "{ kind: unet, width: 8, depth: 1, multipliers: [1, 2], attention: [4], dropout: 0.2 }",
  },
  mlp: { data: "{ kind: points, name: checkerboard, samples: 256 }", model: "{ kind: mlp, width: 16, depth: 2 }" },
};

/** Objectives by name, and how samples are usually taken from them. */
const FLOW_MAP = [
  { sampler: "renoise", steps: 1 },
  { sampler: "renoise", steps: 2 },
  { sampler: "solution", steps: 2 },
  { sampler: "euler", steps: 4 },
];
const CONSISTENCY = [
  { sampler: "multistep", steps: 1 },
  { sampler: "multistep", steps: 3 },
];
const METHODS = {
  soflow: { objective: "{ kind: soflow }", samplers: FLOW_MAP },
  meanflow: { objective: "{ kind: meanflow }", samplers: FLOW_MAP },
  "meanflow-needed": { objective: "{ kind: meanflow, derivative: needed }", samplers: FLOW_MAP },
  "flow-matching": {
    objective: "{ kind: flow-matching }",
    samplers: ["euler", "midpoint", "heun", "rk4"].map((sampler) => ({ sampler, steps: 3 })),
  },
  ddpm: {
    objective: "{ kind: ddpm }",
    samplers: [
      { sampler: "ancestral", steps: 8 },
      { sampler: "ddim", steps: 5 },
    ],
  },
  edm: {
    objective: "{ kind: edm }",
    samplers: [
      { sampler: "edm", steps: 4 },
      { sampler: "heun", steps: 3 },
    ],
  },
  consistency: { objective: "{ kind: consistency, curriculum: { s1: 10 } }", samplers: CONSISTENCY },
  "improved-consistency": {
    objective: "{ kind: improved-consistency, curriculum: { s0: 4, s1: 16 } }",
    samplers: CONSISTENCY,
  },
  "consistency-distillation": {
    objective: "{ kind: consistency-distillation, teacher: TEACHER }",
    samplers: CONSISTENCY,
    teacher: "edm",
  },
};

/** One thing changed at a time, on networks where it means something. */
const VARIANTS = [
  ["soflow", "dit", "guided", ["objective.guidance={scale: 2, mix: 0.25}"]],
  ["soflow", "dit", "guided-m1", ["objective.guidance={scale: 2, mix: 1}"]],
  ["soflow", "dit", "trig", ["objective.path=trig", "objective.parameterisation=trig"]],
  ["soflow", "dit", "parts", ["objective.guidance={scale: 2, mix: 0.25}", "train.microBatches=4", "train.batch=16"]],
  ["soflow", "dit", "blocks-again", ["train.checkpointBlocks=true"]],
  ["soflow", "dit", "ema64", ["ema={decay: 0.9, every: 4, precision: float64}"]],
  ["soflow", "dit", "clipped", ["optimizer.clipNorm=0.05"]],
  ["soflow", "dit", "cosine", ["optimizer={schedule: cosine, warmupSteps: 5, weightDecay: 0.1}", "ema.warmup=true"]],
  ["soflow", "dit", "unlabelled", ["data.labels=false"]],
  ["soflow", "unet", "recipe", ["optimizer.kind=radam", "ema={decay: 0.9, every: 3, precision: float64}"]],
  ["meanflow", "dit", "guided", ["objective.guidance={omega: 1.5, kappa: 0.5, end: 0.8}"]],
  ["meanflow-needed", "dit", "guided", ["objective.guidance={omega: 1.5, kappa: 0.5, end: 0.8}"]],
  ["meanflow", "dit", "parts", ["train.microBatches=2"]],
  ["flow-matching", "dit", "parts-clipped", ["train.microBatches=2", "optimizer.clipNorm=0.05"]],
  ["consistency", "dit", "parts-ema64", ["train.microBatches=2", "ema={decay: 0.9, precision: float64}"]],
];

const CASES = [
  ...Object.keys(METHODS).flatMap((method) => Object.keys(NETWORKS).map((network) => [method, network, "plain", []])),
  ...VARIANTS,
].map(([method, network, variant, overrides]) => ({
  name: `${method} ${network} ${variant}`,
  method,
  network,
  overrides,
}));

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

/** Tensors of a safetensors file by name: their type and bytes. */
const tensorsOf = (path) => {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  return Object.entries(header)
    .map(
      ([
        name,
        {
          dtype,
          data_offsets: [a, b],
        },
      ]) => ({
        name: recorded(name),
        dtype,
        bytes: file.subarray(8 + length + a, 8 + length + b),
      }),
    )
    .sort((p, q) => (p.name < q.name ? -1 : 1));
};

/** Weights, and each kind of state that the optimizer and the averages keep, by the first word of its name. */
const groupOf = (name) => /^(ema|average|m|v)\./.exec(name)?.[1] ?? "weights";

const stateHashes = (folder) => {
  const groups = {};
  for (const { name, dtype, bytes } of tensorsOf(join(folder, "checkpoints", "step-00000020.safetensors"))) {
    groups[groupOf(name)] ??= createHash("sha256");
    groups[groupOf(name)].update(`${name} ${dtype} `).update(bytes);
  }
  return Object.fromEntries(Object.entries(groups).map(([group, hash]) => [group, hash.digest("hex").slice(0, 16)]));
};

/** The lines of metrics without what a clock has measured. */
const metricsHash = (folder) => {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trim().split("\n").map(JSON.parse);
  const kept = lines.map((line) =>
    Object.entries(line)
      .filter(([name]) => name !== "steps_per_second")
      .map(([name, value]) => [recorded(name), value])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return hashOf(JSON.stringify(kept));
};

const textOf = ({ method, network }, folder) => `
seed: 5
data: ${NETWORKS[network].data}
model: ${NETWORKS[network].model}
objective: ${METHODS[method].objective.replace("TEACHER", JSON.stringify(folder))}
optimizer: { learningRate: 3.0e-3 }
ema: { decay: 0.9 }
train: { steps: 20, batch: 8, logEvery: 5, sampleEvery: 100, sampleCount: 4, checkpointEvery: 100, threads: 1 }
`;

const run = async (one, root, runtime) => {
  const out = join(root, one.name.replaceAll(" ", "_"));
  const teacher = join(root, `edm_${one.network}_plain`);
  if (METHODS[one.method].teacher && !existsSync(join(teacher, "model")))
    await run({ ...one, name: `edm ${one.network} plain`, method: "edm", overrides: [] }, root, runtime);
  rmSync(out, { recursive: true, force: true });
  const config = parseConfig(textOf(one, teacher), one.name, [...one.overrides, `out=${JSON.stringify(out)}`]);
  await runTraining({ config, runtime });
  const samples = {};
  for (const { sampler, steps } of METHODS[one.method].samplers) {
    const { images } = await drawSamples({ source: out, count: 8, seed: 1, batch: 8, sampler, steps, runtime });
    writeFileSync(join(out, `samples-${sampler}-${steps}.f32`), images);
    samples[`${sampler} ${steps}`] = hashOf(images);
  }
  return { out, hashes: { ...stateHashes(out), metrics: metricsHash(out), samples } };
};

const floatsOf = ({ dtype, bytes }) =>
  dtype === "F64" ? new Float64Array(Uint8Array.from(bytes).buffer) : new Float32Array(Uint8Array.from(bytes).buffer);

/** The largest difference of a case's final state to that of an earlier run, relative to the largest value of each tensor. */
const differenceTo = (out, before) => {
  const path = (folder) => join(folder, "checkpoints", "step-00000020.safetensors");
  const old = new Map(tensorsOf(path(before)).map((tensor) => [tensor.name, floatsOf(tensor)]));
  let worst = { name: "no tensor", difference: 0 };
  for (const tensor of tensorsOf(path(out))) {
    const [now, then] = [floatsOf(tensor), old.get(tensor.name)];
    const largest = then.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30);
    const difference = now.reduce((most, x, i) => Math.max(most, Math.abs(x - then[i])), 0) / largest;
    if (difference > worst.difference) worst = { name: tensor.name, difference };
  }
  return worst;
};

const changedParts = (found, expected) =>
  expected === undefined
    ? ["not recorded"]
    : Object.keys({ ...expected, ...found }).filter(
        (part) => JSON.stringify(found[part]) !== JSON.stringify(expected[part]),
      );

const main = async () => {
  const root = flags.out ?? mkdtempSync(join(tmpdir(), "soflow-same-"));
  mkdirSync(root, { recursive: true });
  const record = existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, "utf8")) : { cases: {} };
  const here = cpus()[0].model;
  if (!flags.record && record.processor !== here)
    console.log(`recorded on ${record.processor}; this is ${here}: last bits may differ for that reason alone`);
  const runtime = await openRuntime({ threads: 1 });
  let changed = 0;
  for (const one of CASES.filter(({ name }) => name.includes(flags.only))) {
    const { out, hashes } = await run(one, root, runtime);
    if (flags.record) record.cases[one.name] = hashes;
    const parts = changedParts(hashes, record.cases[one.name]);
    if (parts.length > 0) changed++;
    const far =
      flags.against === undefined ? undefined : differenceTo(out, join(flags.against, out.slice(root.length)));
    const distance = far && `; largest difference ${far.difference.toExponential(1)} (${far.name})`;
    console.log(`${one.name}: ${parts.length === 0 ? "the same" : `changed: ${parts.join(", ")}`}${distance ?? ""}`);
  }
  await runtime.close();
  if (flags.record) writeFileSync(RECORD, `${JSON.stringify({ ...record, processor: here }, null, 1)}\n`);
  if (flags.out === undefined) rmSync(root, { recursive: true, force: true });
  process.exitCode = changed === 0 ? 0 : 1;
};

await main();
