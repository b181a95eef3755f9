import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { workerUrl } from "./workerUrl.js";

// With telemetry on, ONNX Runtime writes an identifier of the device into the home folder as soon as it starts, and opens a
// database of events to send beside it. So a home folder that stays empty shows that none of it started. In processes of
// their own: the library reads the setting once, and this one may have loaded it.
const compiled = fileURLToPath(workerUrl(import.meta.url, "./index.js"));
const reason = existsSync(compiled) ? "" : " (skipped: dist/ is not built, run `npm run build` first)";

const OPEN = `
import { Worker } from "node:worker_threads";
const [, file, kind, thread] = process.argv;
if (thread === "worker") {
  const worker = new Worker(file, { argv: [kind] });
  await new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
} else {
  const { openRuntime } = await import(${JSON.stringify(compiled)});
  const runtime = await openRuntime({ kind, threads: 1 });
  const type = { dtype: "float32", shape: [1] };
  const refused = { name: "none", bytes: new Uint8Array(1), inputs: { x: type }, outputs: {} };
  await runtime.compile(refused).catch(() => {});
  await runtime.close();
}
`;

test
  .skipIf(reason)
  .for(["native", "portable"].flatMap((kind) => ["main thread", "worker"].map((thread) => [kind, thread] as const)))(
  `%s runtime in a %s: no telemetry starts, whatever the environment says${reason}`,
  async ([kind, thread]) => {
    const home = await mkdtemp(join(tmpdir(), "soflow-telemetry-"));
    const env = { PATH: process.env.PATH, HOME: home, USERPROFILE: home, ORT_DISABLE_TELEMETRY: "0" };
    const file = join(home, "open.mjs");
    await writeFile(file, OPEN);
    await promisify(execFile)(process.execPath, [file, kind, thread], { env });
    expect(await readdir(home, { recursive: true })).toEqual(["open.mjs"]);
    await rm(home, { recursive: true, force: true });
  },
);
