// Does `soflow quickstart --quick` teach something in about a minute? Runs it and fails where fewer than 70 % of the samples are
// recognized as their label. Prints what it took. Run `npm run build` first: node scripts/check/quickstart.mjs
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "soflow-quick-"));
const words = [main, "quickstart", "--quick", "--out", join(folder, "run")];
const { stdout, status } = spawnSync(process.execPath, words, {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
rmSync(folder, { recursive: true, force: true });
const recognized = Number(/^([\d.]+) %/.exec(stdout)?.[1]);
console.log(stdout);
if (status !== 0 || !(recognized >= 70)) process.exitCode = 1;
