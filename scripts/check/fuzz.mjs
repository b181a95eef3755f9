// Damages small sound files of every format that is read and watches what each damaged one does: it must be read, or
// refused by a UserError, within 2 s of computing and 300 MB above the idle process. Every input's peak is measured
// from outside of the process that reads it (Linux). What is found is made small and saved; npm test replays it.
//
// Usage: npx tsc -b && node scripts/check/fuzz.mjs [--reader PART-OF-NAME] [--inputs N | --minutes M] [--seed S] [--save FOLDER]
//   --inputs   how many in all, shared among the readers by how long one takes; default 20,000
//   --minutes  a time in place of a number
//   --save     where findings go; default tests/data/damaged
// In the background: nice -n 19 node scripts/check/fuzz.mjs --inputs 300000 > fuzz.log &
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { generator, mutate } from "./readers/mutate.mjs";
import { loadTargets } from "./readers/seeds.mjs";
import { watch } from "./readers/watched.mjs";

const { values } = parseArgs({
  options: {
    reader: { type: "string", default: "" },
    inputs: { type: "string", default: "20000" },
    minutes: { type: "string" },
    seed: { type: "string", default: "1" },
    save: { type: "string", default: fileURLToPath(new URL("../../tests/data/damaged/", import.meta.url)) },
  },
});

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const MB = 2 ** 20;
const SOUND = ["read", "refused"];
/** Inputs of one reader before the next has its turn, and findings after which a reader is left alone. */
const TURN = 500;
const ENOUGH = 12;
const TRIES = 120;

const makeInput = ({ seeds, kind, fix, always, spots }, below) => {
  const [bytes, other] = [seeds[below(seeds.length)], seeds[below(seeds.length)]];
  const damaged = mutate(bytes, below, other, kind, spots);
  try {
    return always || below(4) > 0 ? fix(damaged, below) : damaged;
  } catch {
    return damaged; // too damaged to be made good
  }
};

/** Where a reader's file lies, in memory. */
const place = (target) => {
  const folder = mkdtempSync("/dev/shm/soflow-fuzz-");
  for (const [name, bytes] of Object.entries(target.beside)) writeFileSync(join(folder, name), bytes);
  return { folder, path: join(folder, target.file) };
};

const readBytes = (watched, { reader }, path, bytes) => {
  rmSync(path, { force: true }); // a new file each time: the HDF5 library knows one that it could not close again
  writeFileSync(path, bytes);
  return watched.read(reader, path);
};

/** Findings of the same sign have the same cause, as far as can be told. */
const signOf = ({ kind, message }) => `${kind} ${String(message).replace(/\d+/g, "#").slice(0, 120)}`;

/** Leaves out what a finding does not need. */
const minimised = async (watched, target, path, bytes, sign) => {
  let [best, tries] = [bytes, TRIES];
  for (let size = best.length >> 1; size > 0 && tries > 0; size >>= 1)
    for (let at = 0; at + size <= best.length && tries > 0; tries--) {
      const smaller = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (signOf(await readBytes(watched, target, path, smaller)) === sign) best = smaller;
      else at += size;
    }
  return best;
};

const save = (target, bytes, { kind, message }) => {
  const name = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
  const folder = join(values.save, `${target.name.replace(/[^\w-]+/g, "-")}~${target.reader}`, name);
  mkdirSync(folder, { recursive: true });
  for (const [other, content] of Object.entries(target.beside)) writeFileSync(join(folder, other), content);
  writeFileSync(join(folder, target.file), bytes);
  console.log(`FINDING ${target.name}: ${kind}, ${bytes.length} bytes in ${folder}: ${String(message).slice(0, 600)}`);
};

/** Runs the inputs of one reader, a turn at a time; yields after each. */
async function* fuzz(target, count, seed, watched) {
  const { folder, path } = place(target);
  const seen = new Set();
  const tally = { name: target.name, read: 0, refused: 0, findings: 0, peak: 0, seconds: 0 };
  for (let n = 0; n < count && tally.findings < ENOUGH; n++) {
    const bytes = makeInput(target, generator((seed * 1_000_003) ^ (n * 2_654_435_761)));
    const result = await readBytes(watched, target, path, bytes);
    tally.peak = Math.max(tally.peak, result.peak);
    tally.seconds = Math.max(tally.seconds, result.seconds);
    if (SOUND.includes(result.kind)) tally[result.kind]++;
    else {
      const sign = signOf(result);
      tally.findings++;
      if (!seen.has(sign)) save(target, await minimised(watched, target, path, bytes, sign), result);
      seen.add(sign);
    }
    if (n % TURN === TURN - 1) yield tally;
  }
  rmSync(folder, { recursive: true, force: true });
  yield tally;
}

const print = (tallies) => {
  for (const { name, read, refused, findings, peak, seconds } of tallies)
    console.log(
      `${name.padEnd(26)} ${String(read + refused + findings).padStart(8)} inputs: ${read} read, ${refused} refused, ${findings} findings; most ${(peak / MB).toFixed(0)} MB, ${seconds.toFixed(2)} s`,
    );
};

const targets = (await loadTargets()).filter(({ name }) => name.toLowerCase().includes(values.reader.toLowerCase()));
const shares = targets.reduce((sum, { share }) => sum + share, 0);
const end = values.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + 60_000 * Number(values.minutes);
const inputs = values.minutes === undefined ? Number(values.inputs) : Number.POSITIVE_INFINITY;
const watched = await watch(DIST);
const tallies = new Map();
const totalOf = (pick) => [...tallies.values()].reduce((sum, tally) => sum + pick(tally), 0);
const countOf = ({ read, refused, findings }) => read + refused + findings;
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    stopped = true;
  });
let runs = targets.map((target) =>
  fuzz(target, Math.ceil((inputs * target.share) / shares), Number(values.seed), watched),
);
while (runs.length > 0 && Date.now() < end && !stopped) {
  const going = [];
  for (const run of runs) {
    const { value, done } = await run.next();
    if (value) tallies.set(value.name, value);
    if (!done) going.push(run);
  }
  runs = going;
  console.log(`${new Date().toISOString()} ${totalOf(countOf)} inputs`);
}
for (const run of runs) await run.return();
await watched.stop();
print(tallies.values());
const findings = totalOf((tally) => tally.findings);
console.log(`${totalOf(countOf)} inputs, ${findings} findings`);
process.exitCode = findings > 0 ? 1 : 0;
