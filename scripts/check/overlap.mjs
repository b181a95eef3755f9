// Whether calls on one model that overlap give what each gives alone, and whether memory stays flat.
// Usage: npm run build && node scripts/check/overlap.mjs [ROUNDS] [CALLS]
//   ROUNDS (200): rounds of random generate, edit and close from 12 callers with mixed options; every answer is compared with
//   that of a model that is asked nothing else at the time.
//   CALLS (2000): calls with 160 sets of options, whose memory is compared with that of as many calls with one set; each in a
//   process of its own. With more than 1.5 times as much it fails.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { SoFlow } from "../../dist/index.js";
import { key } from "../../dist/random/random.js";
import { openNetwork, saveModel } from "../../dist/train/model.js";

const CALLERS = 12;
const PIXELS = 64;
const NETWORK = {
  imageSize: 8,
  patch: 4,
  channels: 1,
  width: 64,
  depth: 2,
  heads: 2,
  classes: 3,
  times: 2,
  nullLabel: false,
};

const writeModel = async (folder) => {
  const weights = openNetwork(NETWORK).parameters.map(({ name, tensor: { shape } }) => ({
    name,
    shape,
    read: async () =>
      key(1)
        .fold(name)
        .normal(shape.reduce((n, d) => n * d, 1))
        .map((z) => 0.3 * z),
  }));
  const method = { kind: "soflow", path: "linear", parameterisation: "euler" };
  const description = { format: "soflow", version: 1, network: NETWORK, method, classes: ["a", "b", "c"] };
  await saveModel(folder, description, weights, 1);
};

const open = (folder) => SoFlow.fromPretrained(folder, { threads: 1 });

/** What a call gives: bytes, or the error's line. */
const answer = async (model, { kind, options }) => {
  try {
    if (kind === "close") return await model.close();
    if (kind === "generate") return await model.generate(options);
    const { image, mask, ...rest } = options;
    const pixels = { image: key(image).normal(PIXELS), ...(mask !== undefined && { mask: key(mask).uniform(PIXELS) }) };
    return await model.edit({ ...rest, ...pixels });
  } catch (thrown) {
    return thrown.message;
  }
};

const randomCall = (random) => {
  const pick = (list) => list[random(list.length)];
  if (random(4) === 0)
    return {
      kind: "edit",
      options: {
        image: random(4),
        mask: pick([undefined, 1, 2]),
        strength: pick([0, 0.3, 0.7, 1]),
        seed: random(3),
        label: random(3),
        steps: 1 + random(2),
      },
    };
  const sampler = pick([undefined, "renoise", "solution", "euler", "dopri5"]);
  const precision = pick([undefined, "float32", "int8"]);
  return {
    kind: "generate",
    options: {
      count: 1 + random(9),
      seed: random(4),
      labels: pick([[0], [1], [2], [0, 1, 2]]),
      ...(sampler && { sampler }),
      ...(precision && { precision }),
      ...(random(2) === 0 && { steps: 1 + random(3) }),
      ...(random(2) === 0 && { batch: pick([1, 2, 4, 64]) }),
    },
  };
};

const randomOf = (seed) => {
  let at = 0;
  return (bound) => key(seed).fold(at++).integers(1, bound)[0];
};

/** Rounds of overlapping calls. Returns how many answers there were and how many were another call's or nobody's. */
const overlap = async (folder, rounds) => {
  const quiet = await open(folder);
  const alone = new Map();
  const aloneOf = async (call) => {
    const name = JSON.stringify(call);
    if (!alone.has(name)) alone.set(name, await answer(quiet, call));
    return alone.get(name);
  };
  let [answers, wrong, refused] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const random = randomOf(round);
    const model = await open(folder);
    const plans = Array.from({ length: CALLERS }, () =>
      Array.from({ length: 1 + random(3) }, () => randomCall(random)),
    );
    const closes = random(2) === 0;
    if (closes) plans[random(CALLERS)].push({ kind: "close" });
    const found = await Promise.all(
      plans.map(async (calls) => {
        const own = [];
        for (const call of calls) own.push([call, await answer(model, call)]);
        return own;
      }),
    );
    for (const [call, got] of found.flat()) {
      if (call.kind === "close") continue;
      answers++;
      const after = closes && got === `${call.kind}: the model was closed; open it again with SoFlow.fromPretrained`;
      if (after) refused++;
      else if (!isDeepStrictEqual(got, await aloneOf(call))) wrong++;
    }
    await model.close();
  }
  await quiet.close();
  return { answers, wrong, refused };
};

/** Option sets that differ in what is compiled. */
const optionSets = (n) =>
  Array.from({ length: n }, (_, i) => ({
    count: 1 + (i % 40),
    sampler: ["renoise", "solution", "euler", "heun"][Math.floor(i / 40) % 4],
    steps: 1 + (i % 5),
  }));

const resident = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;

/** Megabytes that are resident after so many calls, with so many sets of options in turn. */
const memoryAfter = async (folder, calls, sets) => {
  const model = await open(folder);
  const options = optionSets(160).slice(-sets);
  for (let i = 0; i < calls; i++) await model.generate({ ...options[i % sets], seed: i });
  globalThis.gc?.();
  console.log(resident().toFixed(0));
  await model.close();
};

const main = async () => {
  const [rounds = "200", calls = "2000"] = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), "soflow-overlap-"));
  try {
    await writeModel(folder);
    const { answers, wrong, refused } = await overlap(folder, Number(rounds));
    console.log(`${rounds} rounds of ${CALLERS} callers: ${answers} answers, ${wrong} wrong, ${refused} after a close`);
    const after = (sets) =>
      Number(
        execFileSync(process.execPath, [
          "--expose-gc",
          fileURLToPath(import.meta.url),
          "memory",
          folder,
          calls,
          String(sets),
        ]),
      );
    const [one, many] = [after(1), after(160)];
    console.log(
      `${calls} calls: ${one} MB with one set of options, ${many} MB with 160 (${(many / one).toFixed(2)} times)`,
    );
    process.exitCode = wrong === 0 && many < 1.5 * one ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

if (process.argv[2] === "memory") await memoryAfter(process.argv[3], Number(process.argv[4]), Number(process.argv[5]));
else await main();
