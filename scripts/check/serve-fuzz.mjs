// Fuzzes `soflow serve` from its own OpenAPI document with Schemathesis, all checks, and fails where that finds anything or the
// server writes anything about itself. Schemathesis comes from PyPI: python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install schemathesis
// Usage: npm run build && SCHEMATHESIS=/tmp/fuzz/bin/schemathesis node scripts/check/serve-fuzz.mjs [options of schemathesis run]
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder, serve, writeModel, writeRun } from "./serving.mjs";

const PROGRAM = process.env.SCHEMATHESIS ?? "schemathesis";

const run = (folder, words) =>
  new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, words, { cwd: folder, stdio: "inherit" });
    child.on("error", () => reject(new Error(`${PROGRAM} cannot be started: name it with SCHEMATHESIS`)));
    child.on("close", resolve);
  });

/**
 * What the document cannot say: which base64 is a picture, and which runs and files there are. For the requests that Schemathesis
 * makes up of these, a refusal with 422 is right.
 */
const CONFIG = `
[[operations]]
include-path = "/v1/images/edit"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "422", "429", "503"]

[[operations]]
include-path-regex = "^/v1/runs/"
parameters = { run = "first", step = 1 }

[[operations]]
include-path-regex = "^/v1/models/"
parameters = { model = "tiny", file = "manifest.json" }
`;

const TOKEN = "correct-horse-battery";

/** Serves without a token, then with one. */
const RUNS = [
  { serving: [], asking: [] },
  { serving: ["--token", TOKEN], asking: ["--header", `Authorization: Bearer ${TOKEN}`] },
];

const isUsual = (line) => line === "" || /^soflow: (compiling|exporting|stopping)/.test(line);

await inFolder(async (folder) => {
  const runs = join(folder, "runs");
  await writeRun(runs);
  await writeFile(join(folder, "schemathesis.toml"), CONFIG);
  const model = await writeModel(join(folder, "tiny"));
  for (const { serving, asking } of RUNS) {
    const server = await serve(model, "--runs", runs, "--max-count", "16", ...serving);
    const words = ["run", `${server.url}/openapi.json`, "--checks", "all", ...asking, ...process.argv.slice(2)];
    const code = await run(folder, words);
    await server.stop();
    const unexpected = server
      .log()
      .split("\n")
      .filter((line) => !isUsual(line));
    if (unexpected.length > 0) console.log(`the server wrote:\n${unexpected.join("\n")}`);
    if (code !== 0 || unexpected.length > 0) process.exitCode = 1;
  }
});
