// Where does a training step's time go, and how near to the machine's limit is each part?
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRateMeter, openRuntime } from "../dist/runtime/index.js";
import { readProfile } from "./lib/profile.mjs";
import { machine, median, table } from "./lib/rounds.mjs";
import { openTraining } from "./peers/training.mjs";

const JOB = {
  batch: 32,
  network: { imageSize: 16, patch: 2, channels: 4, width: 384, depth: 6, heads: 6, classes: 10 },
  guidance: { scale: 3, mix: 0.25, decayTime: 0.8, labelDropout: 0.1 },
};

const sum = (values) => values.reduce((a, b) => a + b, 0);

const report = (program, { nodes, runs }, rate) => {
  const total = sum(nodes.map(({ ms }) => ms));
  const rows = groupBy(nodes)
    .map(([op, list]) => ({ op, list, ms: sum(list.map(({ ms }) => ms)) }))
    .sort((a, b) => b.ms - a.ms)
    .map(({ op, list, ms }) => {
      const gflops = sum(list.map(({ flop }) => flop)) / ms / 1e6;
      return [
        op,
        list.length / runs,
        (ms / runs).toFixed(1),
        `${((100 * ms) / total).toFixed(1)} %`,
        gflops > 0 ? gflops.toFixed(0) : "–",
        gflops > 0 ? `${((100 * gflops) / rate).toFixed(0)} %` : "–",
        gflops > 0 ? "–" : (sum(list.map(({ bytes }) => bytes)) / ms / 1e6).toFixed(1),
      ];
    });
  console.log(`\n${program}: ${(total / runs).toFixed(0)} ms in operations\n`);
  table(["operation", "times", "ms", "share", "GFLOP/s", "of the limit", "GB/s"], rows);
};

const groupBy = (nodes) => {
  const groups = new Map();
  for (const node of nodes) groups.set(node.op, [...(groups.get(node.op) ?? []), node]);
  return [...groups];
};

/** `profile [rounds] [threads]`: 5 rounds on 2 threads by default. Profiling itself costs a few per cent. */
export const run = async ([rounds = "5", threads = "2"]) => {
  const folder = mkdtempSync(join(tmpdir(), "soflow-profile-"));
  const runtime = await openRuntime({ threads: Number(threads), profile: join(folder, "profile") });
  const { round, release } = await openTraining(runtime, JOB);
  const meter = await openRateMeter(runtime);
  const rates = [];
  for (let k = 0; k <= Number(rounds); k++) {
    await round();
    rates.push(await meter.round());
  }
  release();
  meter.close();
  await runtime.close();
  const rate = median(rates);
  console.log(machine(threads));
  console.log(
    `SoFlow step, guided: DiT 384×6, 64 tokens, batch 32. Matrix products alone in the same run: ${rate.toFixed(0)} GFLOP/s`,
  );
  const profiles = readdirSync(folder).map((file) => readProfile(join(folder, file), 1));
  const programs = profiles
    .filter(({ nodes }) => !nodes.every(({ op }) => op === "Gemm"))
    .sort((a, b) => b.nodes.length - a.nodes.length);
  const [gradients, update] = programs;
  report("gradients", gradients, rate);
  report("update", update, rate);
  rmSync(folder, { recursive: true });
};
