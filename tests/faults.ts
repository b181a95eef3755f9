import type * as fs from "node:fs/promises";

type Fs = typeof fs;

/** Which calls on files fail, and with what code: what a disk does that a test cannot arrange. */
export const fault: { path: RegExp | undefined; code: string } = { path: undefined, code: "EIO" };

const failure = (path: unknown): Promise<never> | undefined =>
  fault.path?.test(String(path))
    ? Promise.reject(Object.assign(new Error(`${fault.code}: injected, '${String(path)}'`), { code: fault.code }))
    : undefined;

/**
 * `node:fs/promises` with calls that fail on the paths that `fault` names: for
 * `vi.mock("node:fs/promises", async (original) => (await import("./faults.js")).faulty(await original()))`.
 */
export const faulty = (real: Fs): Fs => {
  const guarded = <A extends [unknown, ...unknown[]], R>(call: (...args: A) => R) =>
    ((...args: A) => failure(args[0]) ?? call(...args)) as (...args: A) => R;
  const open = async (...args: Parameters<Fs["open"]>): Promise<fs.FileHandle> => {
    const reads = args[1] === undefined || String(args[1]).startsWith("r");
    const file = await ((reads ? failure(args[0]) : undefined) ?? real.open(...args));
    const write = file.writeFile.bind(file);
    file.writeFile = (...data) => failure(args[0]) ?? write(...data);
    return file;
  };
  return {
    ...real,
    open,
    appendFile: guarded(real.appendFile),
    readFile: guarded(real.readFile) as Fs["readFile"],
    readdir: guarded(real.readdir) as Fs["readdir"],
    mkdir: guarded(real.mkdir) as Fs["mkdir"],
  };
};
