import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Holder, thisProcess } from "./holder.js";
import { isClaimed, lockFolder, withFolder } from "./index.js";
import { FolderInUse, LockLost, takeLock } from "./lock.js";

let folder: string;
let lock: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-lock-"));
  lock = join(folder, ".lock");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Short enough for a test; a heart that beats 40 times in the watch is seen also on a busy machine. */
const TIMING = { beat: 50, silence: 2000, watch: 2000 };

const leave = async (holder: Partial<Holder> | string, name = "left"): Promise<string> => {
  await mkdir(lock, { recursive: true });
  const text = typeof holder === "string" ? holder : JSON.stringify({ ...thisProcess(), ...holder });
  await writeFile(join(lock, name), text);
  return join(lock, name);
};

/** Takes the lock of the folder and gives it back; the notes that were made. */
const takeOver = async (): Promise<readonly string[]> => {
  const notes: string[] = [];
  const options = { onNote: (text: string) => void notes.push(text), timing: TIMING };
  await (await lockFolder(folder, options))();
  expect(await readdir(folder)).toEqual([]);
  return notes;
};

const elsewhere = { host: "other", place: "other boot pid:[1]" };

describe("a lock that is another's", () => {
  test.skipIf(process.platform !== "linux")("a process that lives is named (needs /proc: Linux)", async () => {
    const stat = await readFile(`/proc/${process.ppid}/stat`, "latin1");
    const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
    await leave({ pid: process.ppid, started });
    await expect(lockFolder(folder)).rejects.toThrow(
      `${folder} is in use by process ${process.ppid}; wait for it, stop it, or choose another folder with --out`,
    );
    expect(await isClaimed(folder)).toBe(true);
  });

  test("a second call in this process is refused, and of twenty at once one is let in", async () => {
    await leave({ pid: 999_999_999 });
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => takeLock(lock, folder)));
    const taken = tries.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    const refused = tries.flatMap((one) => (one.status === "rejected" ? (one.reason as Error) : []));
    expect([taken.length, refused.length]).toEqual([1, 19]);
    for (const error of refused) expect(error).toBeInstanceOf(FolderInUse);
    expect(refused[0]!.message).toMatch(/ is in use by this process; wait for it/);
    await taken[0]!.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("one on another host whose heart beats is refused, and so it is claimed", async () => {
    const file = await leave({ ...elsewhere, pid: 1 });
    const heart = setInterval(() => void utimes(file, new Date(), new Date()), TIMING.beat);
    await expect(lockFolder(folder, { timing: TIMING })).rejects.toThrow(/is in use by process 1 on host other; /);
    expect(await isClaimed(folder)).toBe(true);
    clearInterval(heart);
  });

  test("with wait, the work begins when the other's has ended", async () => {
    const order: string[] = [];
    const release = await lockFolder(folder);
    const second = withFolder(folder, { wait: true }, async () => void order.push("second"));
    await sleep(300);
    order.push("first");
    await release();
    await second;
    expect(order).toEqual(["first", "second"]);
  });
});

describe("a lock whose holder is gone is taken over", () => {
  test("a process that has ended", async () => {
    await leave({ pid: 999_999_999 });
    expect(await isClaimed(folder)).toBe(false);
    expect(await takeOver()).toEqual([`${folder} was left by process 999999999, which no longer runs: taken over`]);
  });

  test.skipIf(process.platform !== "linux")(
    "its process ID is another process's now (needs /proc: Linux)",
    async () => {
      await leave({ pid: process.ppid, started: "1" });
      expect(await takeOver()).toEqual([
        `${folder} was left by process ${process.ppid}, which no longer runs: taken over`,
      ]);
    },
  );

  test("one of a container with the same process ID, after its silence was watched", async () => {
    const file = await leave({ ...elsewhere, pid: process.pid });
    await utimes(file, 1, 1);
    expect(await isClaimed(folder)).toBe(false);
    const [waiting, over] = await takeOver();
    expect(waiting).toContain(
      `.lock is held by process ${process.pid} on host other; waiting up to 2 s to see whether it still runs`,
    );
    expect(over).toContain(`was left by process ${process.pid} on host other, which no longer runs: taken over`);
  });

  test("what a crash in the middle of a takeover leaves, and files without contents, block nobody", async () => {
    await mkdir(lock);
    const candidate = `${lock}.123e4567-e89b-12d3-a456-426614174000`;
    await mkdir(candidate);
    await utimes(candidate, 1, 1);
    expect(await takeOver()).toEqual([]);
    await leave("");
    expect((await takeOver()).at(-1)).toContain("was left by a process that did not name itself");
  });

  test("a pipe in its place is not read, and goes too", { skip: process.platform === "win32" }, async () => {
    await mkdir(lock);
    execFileSync("mkfifo", [join(lock, "pipe")]);
    expect((await takeOver()).at(-1)).toContain("taken over");
  });

  test("what is no lock at all is named", async () => {
    await mkdir(join(lock, "folder"), { recursive: true });
    await expect(lockFolder(folder)).rejects.toThrow(
      `${folder} cannot be claimed: ${lock} is not as soflow leaves it; remove it`,
    );
  });

  test("the lock's earlier form, a file with a process ID", async () => {
    await writeFile(lock, "999999999");
    expect(await takeOver()).toEqual([`${folder} was left by process 999999999, which no longer runs: taken over`]);
  });
});

test("the heart beats while the lock is held, and stops with it", async () => {
  const { release } = await takeLock(lock, folder, { timing: TIMING });
  const [name] = await readdir(lock);
  const beat = async (): Promise<number> => (await stat(join(lock, name!))).mtimeMs;
  const first = await beat();
  await expect.poll(beat, { timeout: 60_000 }).toBeGreaterThan(first);
  await release();
  expect(await readdir(folder)).toEqual([]);
});

test("a holder whose lock was taken over is stopped, and its work fails", async () => {
  const work = withFolder(folder, { timing: TIMING }, async (signal) => {
    await rm(join(lock, (await readdir(lock))[0]!));
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return "written";
  });
  await expect(work).rejects.toThrow(LockLost);
  await expect(work).rejects.toThrow("this process was silent for too long and another has taken over; it stops here");
});

test("work that is refused leaves no empty folder behind", async () => {
  const made = join(folder, "new");
  await expect(withFolder(made, {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await readdir(folder)).toEqual([]);
});

test("many processes that go for a lock in the same millisecond: one holder in every round", () => {
  const script = fileURLToPath(new URL("../../../scripts/check/locks.mjs", import.meta.url));
  const text = execFileSync(process.execPath, [script, "20", "4"], { encoding: "utf8" });
  expect(text).toMatch(/^20 rounds of 4 processes on .*; wrong: 0\n$/);
});
