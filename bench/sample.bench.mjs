// Is one-step sampling as fast as PyTorch's?
import { openSoflow, openTorch } from "./lib/peers.mjs";
import { interleave, machine, spread, table, timesAsFast } from "./lib/rounds.mjs";

const B2 = { imageSize: 32, patch: 2, channels: 4, width: 768, depth: 12, heads: 12, classes: 1000 };
const GLYPHS = { imageSize: 16, patch: 4, channels: 1, width: 128, depth: 4, heads: 4, classes: 10 };
const JOBS = {
  "DiT-B/2, batch 1": { network: B2, batch: 1 },
  "DiT-B/2, batch 16": { network: B2, batch: 16 },
  "16×16 glyphs, width 128, depth 4, batch 64": { network: GLYPHS, batch: 64 },
  "16×16 glyphs, batch 1": { network: GLYPHS, batch: 1 },
};

const measure = async (name, job, rounds) => {
  const peers = [await openSoflow(job), await openTorch(job), await openTorch(job, true)].filter(Boolean);
  const [own, ...others] = await interleave(peers, rounds);
  for (const { close } of peers) close();
  console.log(`\n${name}; ${[own, ...others].map(({ name, version }) => `${name} ${version}`).join(", ")}\n`);
  table(
    ["one step from noise to images", "ms (quartiles)", "soflow is … × as fast", "peak GB"],
    [own, ...others].map((peer) => [
      peer.name,
      spread(peer.ms, 2),
      timesAsFast(own, peer).toFixed(2),
      (peer.last.peak / 1e9).toFixed(2),
    ]),
  );
};

/** `sample [rounds] [threads]`: 11 rounds on 2 threads by default. */
export const run = async ([rounds = "11", threads = "2"]) => {
  console.log(machine(threads));
  for (const [name, job] of Object.entries(JOBS))
    await measure(name, { work: "sample", threads: Number(threads), ...job }, Number(rounds));
};
