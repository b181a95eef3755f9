import { availableParallelism, cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../../dist/runtime/index.js";

/** Idle threads of a pool spin for a while after a round; the next one starts when they sleep. */
const SETTLE = 300;

/** One round of each in turn, `rounds` times: the milliseconds of each, and its last answer. Who fails is left out. */
export const interleave = async (peers, rounds) => {
  const measured = peers.map((peer) => ({ ...peer, ms: [], last: undefined }));
  for (let k = 0; k < rounds; k++)
    for (const peer of measured.filter(({ failed }) => !failed)) {
      await sleep(SETTLE);
      try {
        peer.last = await peer.round();
        peer.ms.push(peer.last.ms);
      } catch (thrown) {
        peer.failed = true;
        console.log(`left out in round ${k + 1}: ${thrown.message}`);
      }
    }
  return measured.filter(({ failed }) => !failed);
};

export const median = (values) => quantile(values, 0.5);

/** `12.3 (11.9 – 13.0)`: the median and the quartiles. */
export const spread = (values, digits = 1) => {
  const [low, mid, high] = [0.25, 0.5, 0.75].map((p) => quantile(values, p).toFixed(digits));
  return `${mid} (${low} – ${high})`;
};

/** How many times as fast as `own` the `other` is, round by round: the median. */
export const timesAsFast = (own, other) => median(own.ms.map((ms, i) => other.ms[i] / ms));

export const table = (head, rows) => {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  console.log([line(all[0]), rule, ...all.slice(1).map(line)].join("\n"));
};

export const machine = (threads) =>
  `${cpus()[0].model}, ${threads} threads of ${availableParallelism()} cores; Node ${process.version}`;
