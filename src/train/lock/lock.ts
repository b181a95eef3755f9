import { randomUUID } from "node:crypto";
import { lstat, mkdir, open, readdir, rename, rm, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { UserError } from "../../errors.js";
import { workerUrl } from "../../runtime/workerUrl.js";
import { fateOf, type Holder, nameOf, parseHolder, thisProcess } from "./holder.js";

// A lock is a folder with one file in it, which describes the holder and has a name that is used only once.
//   taking     a folder that is complete is renamed to the lock's name: that succeeds where there is none, or an empty one,
//              for exactly one of all that try
//   takeover   the file of the holder that is gone is removed by its name, so nobody can remove a later holder's; the
//              lock is then an empty folder, which is free, also when the process that emptied it dies at that moment
//   release    the same, and the empty folder is removed

/** Another process, or another call in this one, is at work in the same place. */
export class FolderInUse extends UserError {
  override name = "FolderInUse";
}

/** This process was silent for so long that another one took its lock: it must write no more. */
export class LockLost extends UserError {
  override name = "LockLost";
}

export type LockOptions = {
  /** Wait for a holder that lives, instead of throwing `FolderInUse`. */
  readonly wait?: boolean;
  /** Ends waiting: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Lines for people: what is waited for, what was taken over. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Milliseconds, for tests. */
  readonly timing?: Timing;
};

type Timing = {
  /** Between two heartbeats. */
  readonly beat: number;
  /** A holder elsewhere that is silent for as long is gone. */
  readonly silence: number;
  /** Its heartbeat is watched for at least as long: clocks may have been set. */
  readonly watch: number;
};
const TIMING: Timing = { beat: 2000, silence: 30_000, watch: 6000 };

/** Lets go of a lock; `lost` aborts when another process has taken it. */
export type Lock = { readonly lost: AbortSignal; readonly release: () => Promise<void> };

type Found = { readonly file: string; readonly holder: Holder | undefined; readonly beat: number };

const codeOf = (thrown: unknown): string => (thrown as NodeJS.ErrnoException).code ?? "";

/** Undefined in place of an error with one of these codes. */
const unless = <T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> =>
  work.catch((thrown: unknown) => {
    if (codes.includes(codeOf(thrown))) return undefined;
    throw thrown;
  });

/** The holder of a lock; undefined where there is none. */
const find = async (lock: string): Promise<Found | undefined> => {
  const names = await readdir(lock).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOTDIR") return [""]; // the lock's earlier form, a file
    if (codeOf(thrown) === "ENOENT") return [];
    throw thrown;
  });
  if (names[0] === undefined) return undefined;
  const file = names[0] === "" ? lock : join(lock, names[0]);
  return unless(["ENOENT", "EISDIR"], readFound(file)); // it may have changed hands
};

/** More than a holder's description takes. */
const MOST_BYTES = 4096;

const readFound = async (file: string): Promise<Found | undefined> => {
  const what = await lstat(file);
  if (what.isDirectory()) return undefined;
  if (!what.isFile()) return { file, holder: undefined, beat: what.mtimeMs }; // a pipe would never answer
  const handle = await open(file); // a network file system then asks anew
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_BYTES));
    const holder = parseHolder(buffer.toString("utf8", 0, bytesRead));
    return { file, holder, beat: (await handle.stat()).mtimeMs };
  } finally {
    await handle.close();
  }
};

/** What a rename over a lock that is held fails with; Windows says EPERM. */
const TAKEN = ["ENOTEMPTY", "EEXIST", "ENOTDIR", ...(process.platform === "win32" ? ["EPERM", "EACCES", "EBUSY"] : [])];

/** One try: the file of the lock that is now held, or the file system's time when it was another's. */
const tryToTake = async (lock: string): Promise<{ readonly file: string } | { readonly now: number }> => {
  const name = randomUUID();
  const candidate = `${lock}.${name}`;
  try {
    await mkdir(candidate).catch((thrown: Error) => {
      throw Object.assign(thrown, { path: lock }); // the name that people know
    });
    await writeFile(join(candidate, name), JSON.stringify(thisProcess()));
    const { mtimeMs: now } = await stat(join(candidate, name));
    await rmdir(lock).catch(() => {}); // only where it is empty; Windows renames over no folder
    const taken = await unless(
      [...TAKEN, "ENOENT"],
      rename(candidate, lock).then(() => true),
    );
    return taken ? { file: join(lock, name) } : { now };
  } finally {
    await rm(candidate, { recursive: true, force: true });
  }
};

/** Whether a holder lives. One that cannot be seen from here is watched until its heart beats, or for long enough. */
const lives = async (
  lock: string,
  { file, holder, beat }: Found,
  now: number,
  { signal, onNote, timing = TIMING }: LockOptions,
): Promise<boolean> => {
  const fate = fateOf(holder);
  if (fate !== "unknown") return fate === "alive";
  const wait = Math.max(timing.watch, timing.silence - Math.max(0, now - beat));
  const end = performance.now() + wait;
  onNote?.(
    `${lock} is held by ${nameOf(holder)}; waiting up to ${Math.ceil(wait / 1000)} s to see whether it still runs`,
  );
  while (performance.now() < end) {
    await sleep(Math.min(500, timing.watch / 4));
    signal?.throwIfAborted();
    const again = await find(lock);
    if (again?.file !== file) return false; // it has let go
    if (again.beat !== beat) return true;
  }
  return false;
};

/** Whether a lock's holder lives, as far as can be seen at once. */
export const isHeld = async (lock: string): Promise<boolean> => {
  const kind = await unless(["EACCES", "EPERM", "ENOENT", "ENOTDIR"], lstat(lock));
  if (!kind?.isFile() && !kind?.isDirectory()) return false; // a pipe or a link is no lock of ours
  const found = await unless(["EACCES", "EPERM"], find(lock));
  if (!found) return false;
  const fate = fateOf(found.holder);
  return fate === "unknown" ? Date.now() - found.beat < TIMING.silence : fate === "alive";
};

/** Removes what processes that died in `tryToTake` left beside a lock. */
const removeLeftovers = async (lock: string): Promise<void> => {
  const [folder, prefix] = [dirname(lock), `${basename(lock)}.`];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || name.length !== prefix.length + 36) continue;
    const path = join(folder, name);
    const age = Date.now() - ((await unless(["ENOENT"], stat(path)))?.mtimeMs ?? Date.now());
    if (age > 2 * TIMING.silence) await rm(path, { recursive: true, force: true });
  }
};

const hold = (lock: string, file: string, what: string, { beat }: Timing): Lock => {
  const lost = new AbortController();
  const workerData = { path: file, text: JSON.stringify(thisProcess()), every: beat };
  const heart = new Worker(workerUrl(import.meta.url, "./heartbeat.js"), { workerData });
  heart.unref();
  heart.on("error", (thrown) => lost.abort(thrown));
  heart.on("message", () =>
    lost.abort(new LockLost(`${what}: this process was silent for too long and another has taken over; it stops here`)),
  );
  const release = async (): Promise<void> => {
    await heart.terminate();
    await unless(["ENOENT"], unlink(file));
    await rmdir(lock).catch(() => {}); // another process may have it by now
  };
  return { lost: lost.signal, release };
};

const MOST_TRIES = 1000;

/** `takeLock`, after whoever has it. */
const waitForLock = async (lock: string, what: string, options: LockOptions): Promise<Lock> => {
  for (let told = false; ; told = true)
    try {
      return await takeLock(lock, what, options);
    } catch (thrown) {
      if (!(thrown instanceof FolderInUse)) throw thrown;
      if (!told) options.onNote?.(`${thrown.message.replace(/;.*$/s, "")}: waiting for it`);
      await sleep(500);
      options.signal?.throwIfAborted();
    }
};

/**
 * Takes a lock for this call alone; a lock whose holder is gone is taken over, with a note. Throws `FolderInUse` where
 * another process, or another call in this one, has it. `what` is the place it protects, as people know it.
 */
export const takeLock = async (lock: string, what: string, options: LockOptions = {}): Promise<Lock> => {
  let gone: Found | undefined;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const taken = await tryToTake(lock);
    if ("file" in taken) {
      if (gone) options.onNote?.(`${what} was left by ${nameOf(gone.holder)}, which no longer runs: taken over`);
      await removeLeftovers(lock);
      return hold(lock, taken.file, what, options.timing ?? TIMING);
    }
    const found = await find(lock);
    if (!found) continue;
    if (await lives(lock, found, taken.now, options)) throw inUse(what, found);
    await unless(["ENOENT", "EISDIR", "EPERM"], unlink(found.file));
    gone = found;
  }
  throw new UserError(`${what} cannot be claimed: ${lock} is not as soflow leaves it; remove it`);
};

const inUse = (what: string, { holder }: Found): FolderInUse =>
  new FolderInUse(`${what} is in use by ${nameOf(holder)}; wait for it, stop it, or choose another folder with --out`);

/** Does work while this call alone has a lock. The signal that the work gets also aborts when the lock is lost. */
export const withLock = async <T>(
  lock: string,
  what: string,
  options: LockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const { lost, release } = await (options.wait ? waitForLock : takeLock)(lock, what, options);
  try {
    const result = await work(options.signal ? AbortSignal.any([options.signal, lost]) : lost);
    lost.throwIfAborted();
    return result;
  } finally {
    await release();
  }
};
