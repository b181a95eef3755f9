// Builds the web app into dist/web. On a Node that Vite does not run on, everything else still works: it says so and goes on.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
const runs = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
if (!runs) {
  console.log(`the web app is not built: Node ${process.versions.node} is too old for it (20.19, 22.12 or later)`);
  process.exit(0);
}
const root = fileURLToPath(new URL("..", import.meta.url));
const run = (...words) => execFileSync(process.execPath, words, { cwd: root, stdio: "inherit" });
run("node_modules/typescript/bin/tsc", "-p", "web/tsconfig.json");
run("node_modules/vite/bin/vite.js", "build", "web", "--logLevel", "warn");
