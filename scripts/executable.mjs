// tsc writes plain files; `npx soflow` in a checkout needs the command to be executable after every build.
import { chmodSync } from "node:fs";

chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);
