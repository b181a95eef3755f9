// Who is compared: each in a process of its own, alive for the whole benchmark, doing one round when asked.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PYTHON = process.env.SOFLOW_BENCH_PYTHON ?? "python3";

const here = (file) => fileURLToPath(new URL(`../peers/${file}`, import.meta.url));

/** Starts a process on a job. `round()` gives { ms, peak } of one round: time taken inside it, memory peak so far. */
const open = async (name, command, args, job) => {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  child.on("error", (error) => {
    complaints += error.message;
  });
  child.stdin.on("error", () => {}); // told by `answer`
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name} ended: ${complaints.trim().split("\n").at(-1)}`);
    return JSON.parse(value);
  };
  child.stdin.write(`${JSON.stringify(job)}\n`);
  const { ready } = await answer();
  const round = () => {
    child.stdin.write("round\n");
    return answer();
  };
  return { name, version: ready, round, close: () => child.kill() };
};

/** soflow. A job names its `work` (step, sample or products), threads, network and batch. */
export const openSoflow = (job, name = "soflow") => open(name, process.execPath, [here("soflow_peer.mjs")], job);

/** The same programs through onnxruntime-node's own interface, as it is mostly used. */
export const openNaive = (job) => open("onnxruntime-node", process.execPath, [here("ort_peer.mjs")], job);

/** PyTorch on the same job, eager or compiled; undefined, and a line that says why, where it cannot be. */
export const openTorch = async (job, compile = false) => {
  const name = compile ? "torch.compile" : "PyTorch eager";
  try {
    return await open(name, PYTHON, [here("torch_peer.py")], { warmup: 3, ...job, compile });
  } catch (thrown) {
    console.log(`left out: ${thrown.message} (SOFLOW_BENCH_PYTHON names a Python that has torch)`);
    return undefined;
  }
};
