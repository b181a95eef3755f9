import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../scripts/check/install.mjs", import.meta.url));
const REGISTRY_UNREACHABLE = 3;

type Failed = { readonly code: number; readonly stdout: string; readonly stderr: string };

// The same on Node 20, 22 and 24, each with its own npm: node scripts/check/install.mjs
test("the packed archive installs into an empty folder, runs natively there, and asks no host but the registry", async ({
  skip,
}) => {
  const words = [SCRIPT, "current"];
  const { stdout } = await promisify(execFile)(process.execPath, words).catch((failed: Failed) => {
    if (failed.code === REGISTRY_UNREACHABLE) skip(failed.stderr.trim());
    throw new Error(`${failed.stderr}\n${failed.stdout}`);
  });
  expect(JSON.parse(stdout)).toMatchObject({
    node: process.version,
    imported: true,
    runtime: expect.stringMatching(/^native-cpu, /),
    trained: true,
    elsewhere: [],
    left: [],
  });
});
