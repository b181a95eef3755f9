// Builds small files that ask for gigabytes or for ever and says how each is refused: peak memory above the idle process,
// and time. All must be refused within 2 s of computing and 300 MB (Linux; npm test checks the same).
// Usage: npx tsc -b && node scripts/check/limits.mjs [--dist FOLDER] [--only PART-OF-NAME]
//   --dist   another build, to compare; its readers are killed at 3 GB or 20 s
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BOMBS, writeBomb } from "./readers/bombs.mjs";
import { watch } from "./readers/watched.mjs";

const { values } = parseArgs({ options: { dist: { type: "string" }, only: { type: "string", default: "" } } });
const dist = values.dist ? resolve(values.dist) : fileURLToPath(new URL("../../dist/", import.meta.url));
const MB = 2 ** 20;
const watched = await watch(dist, values.dist ? { most: 3 * 1024 * MB, longest: 20, patience: 60 } : {});
const folder = mkdtempSync(join(tmpdir(), "soflow-limits-"));
for (const [i, bomb] of BOMBS.entries()) {
  if (!bomb.name.includes(values.only)) continue;
  const path = await writeBomb(bomb, join(folder, String(i)));
  const disk = statSync(path).blocks * 512;
  const { kind, peak, seconds, message = "" } = await watched.read(bomb.reader, path);
  await watched.stop(); // each with a fresh process
  console.log(
    `| ${bomb.name} | ${statSync(path).size} (${disk} on disk) | ${kind} | ${(peak / MB).toFixed(0)} MB | ${seconds.toFixed(2)} s | ${message.split("\n")[0].replace(path, "F").slice(0, 160)} |`,
  );
  rmSync(join(folder, String(i)), { recursive: true });
  if (!values.dist && kind !== "refused" && kind !== "read") process.exitCode = 1;
}
await watched.stop();
rmSync(folder, { recursive: true, force: true });
