// How do a step's time and memory grow with batch and depth? Guided SoFlow, DiT of width 192, 64 tokens.
import { openSoflow } from "./lib/peers.mjs";
import { machine, median, table } from "./lib/rounds.mjs";

const GUIDANCE = { scale: 3, mix: 0.25, decayTime: 0.8, labelDropout: 0.1 };
const network = (depth) => ({ imageSize: 16, patch: 2, channels: 4, width: 192, depth, heads: 6, classes: 10 });
const BATCHES = [8, 16, 32, 64, 128].map((batch) => ({ batch, depth: 6 }));
const DEPTHS = [2, 4, 8, 12, 24].map((depth) => ({ batch: 32, depth }));

/** Slope of a straight line through (log x, log y): the power of x that y grows with. */
const power = (points) => {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const [mx, my] = [0, 1].map((i) => logs.reduce((sum, point) => sum + point[i], 0) / logs.length);
  const over = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return over / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
};

/** Each size in a process of its own, one after another; the order is gone through `rounds` times. */
const measure = async (sizes, rounds, threads) => {
  const seen = sizes.map((size) => ({ ...size, ms: [], peak: 0 }));
  for (let k = 0; k < rounds; k++)
    for (const size of seen) {
      const job = {
        work: "step",
        threads,
        guidance: GUIDANCE,
        batch: size.batch,
        network: network(size.depth),
        warmup: 1,
      };
      const peer = await openSoflow(job);
      for (let i = 0; i < 3; i++) {
        const { ms, peak } = await peer.round();
        size.ms.push(ms);
        size.peak = Math.max(size.peak, peak);
      }
      peer.close();
    }
  return seen;
};

const report = (name, axis, seen) => {
  console.log(`\n${name}\n`);
  table(
    [axis, "ms a step", "ms per sample and block", "peak GB"],
    seen.map(({ batch, depth, ms, peak, ...rest }) => [
      { batch, depth, ...rest }[axis],
      median(ms).toFixed(0),
      (median(ms) / batch / depth).toFixed(2),
      (peak / 1e9).toFixed(2),
    ]),
  );
  const time = power(seen.map((size) => [size[axis], median(size.ms)]));
  const memory = power(seen.map((size) => [size[axis], size.peak]));
  console.log(`\ntime grows as ${axis}^${time.toFixed(2)}, memory as ${axis}^${memory.toFixed(2)}`);
};

/** `scaling [rounds] [threads]`: 3 rounds of 3 steps on 2 threads by default. */
export const run = async ([rounds = "3", threads = "2"]) => {
  console.log(machine(threads));
  report("batch, at depth 6", "batch", await measure(BATCHES, Number(rounds), Number(threads)));
  report("depth, at batch 32", "depth", await measure(DEPTHS, Number(rounds), Number(threads)));
};
