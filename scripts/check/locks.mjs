// Whether a lock has exactly one holder: rounds in which many processes, each with two calls at once, go for one lock in
// the same millisecond. What they find there changes from round to round: nothing, what killed processes leave, a process
// ID that now is another's. In every fifth round one of the processes is killed in the middle of it.
// Usage: npm run build && node scripts/check/locks.mjs [ROUNDS] [PROCESSES]    (300 rounds of 8 by default)
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { thisProcess } from "../../dist/train/lock/holder.js";
import { takeLock } from "../../dist/train/lock/index.js";

const CALLS = 2;

/** A process that goes for a lock at a moment, says what came of it, and lets go when it is told to. */
const contend = () => {
  const held = [];
  process.on("message", async ({ lock, at }) => {
    if (lock === undefined) {
      for (const { release } of held.splice(0)) await release();
      return process.send({ released: true });
    }
    while (Date.now() < at); // all at once, to the millisecond
    const tries = await Promise.allSettled(Array.from({ length: CALLS }, () => takeLock(lock, lock)));
    const taken = tries.flatMap(({ value }) => value ?? []);
    held.push(...taken);
    const errors = tries.flatMap(({ reason }) =>
      reason && reason.name !== "FolderInUse" ? [String(reason.stack)] : [],
    );
    process.send({ held: taken.length, errors });
  });
};

const gone = { ...thisProcess(), pid: 999_999_999, started: "1" };
const recycled = { ...thisProcess(), pid: process.pid, started: "1" };
const asFolder = (holder) => (lock) => {
  mkdirSync(lock);
  writeFileSync(join(lock, "left-behind"), JSON.stringify(holder));
};

/** What contenders find. */
const FOUND = {
  nothing: () => {},
  "a killed process's lock": asFolder(gone),
  "a process ID that is another's now": asFolder(recycled),
  "a takeover cut short": (lock) => mkdirSync(lock),
  "the lock's earlier form": (lock) => writeFileSync(lock, "999999999"),
};

const reply = (child) =>
  new Promise((resolve) => {
    const end = () => done({ held: 0, errors: [] });
    const done = (message) => {
      child.off("exit", end);
      resolve(message);
    };
    child.once("exit", end);
    child.once("message", done);
  });

const oneRound = async (folder, children, round) => {
  const names = Object.keys(FOUND);
  const found = names[round % names.length];
  const lock = join(folder, `round-${round}`);
  FOUND[found](lock);
  const killed = round % 5 === 4 ? children[round % children.length] : undefined;
  const at = Date.now() + 20;
  const replies = children.map(reply);
  for (const child of children) child.send({ lock, at });
  if (killed) setTimeout(() => killed.kill("SIGKILL"), 18 + Math.random() * 12);
  const all = await Promise.all(replies);
  const answers = all.filter((_, i) => children[i] !== killed); // what it held, another may have taken over since
  const errors = answers.flatMap(({ errors }) => errors);
  const holders = answers.reduce((sum, { held }) => sum + held, 0);
  const right = errors.length === 0 && (holders === 1 || (killed !== undefined && holders === 0));
  if (killed) children[children.indexOf(killed)] = fork(fileURLToPath(import.meta.url), ["contend"]);
  const alive = children.filter((child) => child.connected);
  const released = alive.map(reply);
  for (const child of alive) child.send({});
  await Promise.all(released);
  const after = await takeLock(lock, lock); // whatever happened, the lock can be had again
  await after.release();
  return { found, holders, errors, right };
};

const main = async (rounds, processes) => {
  const folder = mkdtempSync(join(tmpdir(), "soflow-locks-"));
  const children = Array.from({ length: processes }, () => fork(fileURLToPath(import.meta.url), ["contend"]));
  const counts = {};
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    const { found, holders, errors, right } = await oneRound(folder, children, round);
    counts[holders] = (counts[holders] ?? 0) + 1;
    if (!right) {
      wrong++;
      console.log(`round ${round}, ${found}: ${holders} holders${errors.map((text) => `\n${text}`).join("")}`);
    }
  }
  for (const child of children) child.disconnect();
  const left = readdirSync(folder);
  rmSync(folder, { recursive: true });
  const shares = Object.entries(counts).map(([holders, n]) => `${holders} in ${n}`);
  console.log(
    `${rounds} rounds of ${processes} processes on ${hostname()}, holders: ${shares.join(", ")}; wrong: ${wrong}`,
  );
  if (left.some((name) => !/^round-\d+\.[0-9a-f-]{36}$/.test(name))) console.log(`left: ${left.join(", ")}`);
  process.exitCode = wrong === 0 ? 0 : 1;
};

const [rounds = "300", processes = "8"] = process.argv.slice(2);
if (rounds === "contend") contend();
else await main(Number(rounds), Number(processes));
