import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

/**
 * Hostile files are read, or refused in clear words, by a process that is watched from outside: at most 300 MB above its idle
 * state for any single one. Time does not decide; a file that never ends is one that the watcher has to kill.
 */

type Outcome = { readonly kind: string; readonly message?: string; readonly peak: number };
type Watched = {
  readonly read: (reader: string, path: string) => Promise<Outcome>;
  readonly stop: () => Promise<void>;
};
type Bomb = { readonly name: string; readonly reader: string };

const SCRIPTS = new URL("../scripts/check/readers/", import.meta.url);
const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const DAMAGED = fileURLToPath(new URL("data/damaged/", import.meta.url));
const LINUX = existsSync("/proc/self/clear_refs");

const load = async <T>(name: string): Promise<T> => (await import(new URL(name, SCRIPTS).href)) as T;

const { BOMBS, writeBomb } = await load<{
  BOMBS: readonly Bomb[];
  writeBomb: (bomb: Bomb, folder: string) => Promise<string>;
}>("bombs.mjs");

let watched: Watched;
let folder: string;
beforeAll(async () => {
  const { watch } = await load<{ watch: (dist: string, limits: object) => Promise<Watched> }>("watched.mjs");
  watched = await watch(DIST, { longest: 30, patience: 120 });
  folder = await mkdtemp(join(tmpdir(), "soflow-limits-"));
});
afterAll(async () => {
  await watched?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Files that are read after all, a part at a time. */
const READ = ["npz of 1.9 GB of images, deflated"];

// Memory is what Linux says of the process in /proc; skipped elsewhere.
test.skipIf(!LINUX).each(BOMBS.map((bomb) => [bomb.name, bomb] as const))(
  "%s takes little memory",
  async (name, bomb) => {
    const own = await mkdtemp(join(folder, "bomb-"));
    const { kind, message } = await watched.read(bomb.reader, await writeBomb(bomb, own));
    await rm(own, { recursive: true });
    expect(kind, message).toBe(READ.includes(name) ? "read" : "refused");
  },
);

/** Findings of scripts/check/fuzz.mjs: folders TARGET~READER/HASH with the file that is read, and others it needs. */
const findings = existsSync(DAMAGED)
  ? await Promise.all(
      (await readdir(DAMAGED)).map(async (target) =>
        (await readdir(join(DAMAGED, target))).map((name) => [join(target, name)] as const),
      ),
    )
  : [];

const BESIDE: Readonly<Record<string, RegExp>> = { mnist: /images/ };

test.skipIf(!LINUX).each(findings.flat())("%s, which a fuzzer found, is read or refused", async (found) => {
  const reader = /~([^/\\]+)/.exec(found)![1]!;
  const files = await readdir(join(DAMAGED, found));
  const file = files.find((name) => BESIDE[reader]?.test(name)) ?? files[0]!;
  const { kind, message } = await watched.read(reader, join(DAMAGED, found, file));
  expect(["read", "refused"], `${kind}: ${message}`).toContain(kind);
});
