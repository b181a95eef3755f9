import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UserError } from "../errors.js";
import { isPassing, isPresent, listIfPresent, readIfPresent, reasonOf, statIfPresent, Unreadable } from "./index.js";

/** The code that every call fails with, where one is set: what a disk does that no test can arrange. */
const fault = vi.hoisted(() => ({ code: undefined as string | undefined }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const failing =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R | Promise<never> =>
      fault.code === undefined
        ? call(...args)
        : Promise.reject(Object.assign(new Error(`${fault.code}: it fails`), { code: fault.code }));
  return { ...real, readFile: failing(real.readFile), readdir: failing(real.readdir), stat: failing(real.stat) };
});

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-present-"));
  await writeFile(at("file"), "text");
  await mkdir(at("folder"));
  await symlink(at("loop"), at("loop"));
});
afterEach(async () => {
  fault.code = undefined;
  await rm(folder, { recursive: true, force: true });
});

const READERS = { readIfPresent, listIfPresent, statIfPresent };

test.each(Object.entries(READERS))("%s: nothing there is undefined, and something there is given", async (_, read) => {
  expect(await read(at("nothing"))).toBeUndefined();
  expect(await read(at("nothing", "below"))).toBeUndefined();
  expect(await read(read === listIfPresent ? at("folder") : at("file"))).toBeDefined();
});

test.each(
  Object.entries(READERS).flatMap(([name, read]) =>
    (
      [
        ["EACCES", "permission is denied; give this user the right to it"],
        ["EIO", "the disk reports an input/output error; check the disk, or its connection"],
        ["EMFILE", "this process has too many files open; raise the limit (ulimit -n)"],
        ["ELOOP", "its symbolic links go in a circle; correct the links"],
      ] as const
    ).map(([code, text]) => [name, code, text, read] as const),
  ),
)("%s: %s is not absence; it names the path, the reason and what would help", async (_, code, text, read) => {
  fault.code = code;
  const problem = await read(at("file")).catch((thrown: unknown) => thrown);
  expect(problem).toBeInstanceOf(Unreadable);
  expect(problem).toBeInstanceOf(UserError);
  expect((problem as Error).message).toBe(`${at("file")} cannot be read: ${text}, then try again`);
});

test("a folder in place of a file, a file in place of a folder and a link to itself are not absent", async () => {
  await expect(readIfPresent(at("folder"))).rejects.toThrow("folder cannot be read: it is a folder where a file is");
  await expect(listIfPresent(at("file"))).rejects.toThrow("file cannot be read: a file is where a folder is expected");
  await expect(readIfPresent(at("file", "below"))).rejects.toThrow("a file is where a folder is expected");
  await expect(readIfPresent(at("loop"))).rejects.toThrow("loop cannot be read: its symbolic links go in a circle");
  expect(() => isPresent(at("loop"))).toThrow(Unreadable);
});

test("what is asked only whether it is there is not there below a file", async () => {
  expect(await statIfPresent(at("file", "below"))).toBeUndefined();
  expect(isPresent(at("file", "below"))).toBe(false);
  expect(isPresent(at("file"))).toBe(true);
  expect(isPresent(at("nothing"))).toBe(false);
});

test("a shortage passes, a missing right does not; an unknown code keeps the system's words", () => {
  const failed = (code: string) => Object.assign(new Error(`${code}: so`), { code });
  expect(["EMFILE", "ENFILE", "ENOMEM"].map((code) => isPassing(failed(code)))).toEqual([true, true, true]);
  expect(["EACCES", "ENOENT", "EISDIR"].map((code) => isPassing(failed(code)))).toEqual([false, false, false]);
  expect(reasonOf(failed("ENOSPC"))).toBe("the disk is full");
  expect(reasonOf(failed("EWEIRD"))).toBe("EWEIRD: so");
  expect(reasonOf("text")).toBe("text");
});
