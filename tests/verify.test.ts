import { existsSync } from "node:fs";
import { copyFile, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRuntime, type Runtime } from "../src/runtime/index.js";
import { fill } from "../src/verify/fill.js";
import { verifyFolder } from "../src/verify/verify.js";
import { soflow } from "./cli.js";

const FIXTURES = fileURLToPath(new URL("../../shared/fixtures/", import.meta.url));
const FIXTURES_2026 = fileURLToPath(new URL("../../shared/fixtures-2026/", import.meta.url));

test("the fill rule: FNV-1a seed, golden-ratio counter, murmur finaliser", () => {
  // By hand for the name "a": seed e40c292c; element 1 mixes e40c292c + 9e3779b9 = 8243a2e5.
  const [first = 0] = fill("a", [3], 1);
  let z = 0x8243a2e5;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  expect(first).toBe(Math.fround((2 * ((z ^ (z >>> 16)) >>> 0)) / 2 ** 32 - 1));
  expect(fill("a", [2], 0.5)[1]).toBeCloseTo(fill("a", [2], 1)[1]! / 2, 7);
});

describe.skipIf(!existsSync(FIXTURES))("the official code's numbers (needs ../shared/fixtures)", () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openRuntime({ threads: 2 });
  });
  afterAll(() => runtime?.close());

  test.each([
    "schedules",
    "dit_tiny_forward",
    "soflow_losses",
    "soflow_trajectory",
    "meanflow_losses",
    "flow_matching_loss",
    "ddpm_loss",
    "consistency_losses",
    "full_DiT-B-4",
    "full_DiT-B-2",
    "unet_tiny",
    "full_UNet",
  ])("%s", async (name) => {
    for await (const { status, detail } of verifyFolder({ folder: FIXTURES, only: [name] }, runtime)) {
      expect(detail).toMatch(/largest error/);
      expect(status).toBe("passed");
    }
  });

  test("one line a file, then the counts; what this version does not compute is skipped, and fails with --require-all", async () => {
    const folder = await mkdtemp(join(tmpdir(), "soflow-verify-"));
    for (const name of ["schedules", "unknown"])
      await copyFile(join(FIXTURES, "schedules.safetensors"), join(folder, `${name}.safetensors`));
    const words = ["verify", folder];
    const { code, out } = await soflow(...words);
    expect(out).toMatch(
      /^passed {2}schedules: 39 numbers.*\nskipped unknown: this version does not compute it\n1 passed, 0 failed, 1 skipped\n$/,
    );
    expect(code).toBe(0);
    expect((await soflow(...words, "--require-all")).code).toBe(1);
  });
});

/** Objectives of newer papers whose files this version computes. */
const NEWER = ["alphaflow_losses"];

describe.skipIf(!existsSync(FIXTURES_2026))("numbers of newer papers (needs ../shared/fixtures-2026)", () => {
  test.each(NEWER)("%s", async (name) => {
    const runtime = await openRuntime({ threads: 2 });
    try {
      for await (const { status, detail } of verifyFolder({ folder: FIXTURES_2026, only: [name] }, runtime))
        expect(status, detail).toBe("passed");
    } finally {
      await runtime.close();
    }
  });
});

/** Numbers of foreign implementations that are committed with the scripts that made them. */
const REFERENCE = fileURLToPath(new URL("data/reference/", import.meta.url));

test("the committed reference numbers agree", { timeout: 300_000 }, async () => {
  const runtime = await openRuntime({ threads: 2 });
  try {
    for await (const { name, status, detail } of verifyFolder({ folder: REFERENCE }, runtime))
      expect([name, status], detail).toEqual([name, "passed"]);
  } finally {
    await runtime.close();
  }
});

test("a missing or empty folder, and an unknown name, are refused", async () => {
  const missing = await soflow("verify", "/nowhere/at/all");
  expect([missing.code, missing.err]).toEqual([
    2,
    "soflow: verify: there is no folder /nowhere/at/all; give the folder that holds the fixture files (*.safetensors)\n",
  ]);
});
