import { getSystemErrorMap } from "node:util";
import { Command } from "commander";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outcomeOf } from "./errors.js";
import { runProgram } from "./program.js";
import { verbsOf } from "./verbs.js";
import { packageVersion } from "./version.js";

/** Runs a command line over the real verbs. */
const soflow = async (line: string) => {
  const printed = { out: "", err: "" };
  const out = (text: string) => {
    printed.out += text;
  };
  const err = (text: string) => {
    printed.err += text;
  };
  const words = line.split(" ").filter((word) => word !== "");
  const code = await runProgram(words, verbsOf(out), { out, err });
  return { code, ...printed };
};

const VERBS = [...verbsOf(() => {}).map(({ name }) => name), "features train"];
const usage = (path: string): RegExp => new RegExp(`^Usage: soflow${path} \\[options\\]`);

describe.each(["", ...VERBS])("soflow %s", (verb) => {
  const path = verb === "" ? "" : ` ${verb}`;

  test.each([`${verb} -h`, `${verb} --help`, `${verb} help`, `help ${verb}`])("%s prints the help", async (line) => {
    const { code, out, err } = await soflow(line);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(usage(path));
    expect(out).toContain("-h, --help");
  });

  test.each([`${verb} -V`, `${verb} --version`])("%s prints the version", async (line) => {
    expect(await soflow(line)).toEqual({ code: 0, out: `${packageVersion()}\n`, err: "" });
  });

  test("an unknown option is one line that ends with where to look", async () => {
    const { code, out, err } = await soflow(`${verb} --no-such-option`);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(`soflow: unknown option '--no-such-option'; see soflow${path} --help\n`);
  });
});

test("soflow alone prints the help, and so does a group of verbs", async () => {
  expect((await soflow("")).out).toMatch(usage(""));
  expect((await soflow("features")).err).toMatch(usage(" features"));
});

test.each([
  ["trian", "unknown command 'trian' (did you mean train?); see soflow --help"],
  ["trian --help", "unknown command 'trian' (did you mean train?); see soflow --help"],
  ["help trian", "unknown command 'trian' (did you mean train?); see soflow --help"],
  ["features trian", "unknown command 'trian' (did you mean train?); see soflow features --help"],
  ["help features trian", "unknown command 'trian' (did you mean train?); see soflow features --help"],
  ["presets a b", "too many arguments for 'presets'. Expected 1 argument but got 2; see soflow presets --help"],
  ["serve", "missing required argument 'models'; see soflow serve --help"],
  ["sample", "missing required argument 'run-or-model'; see soflow sample --help"],
  ["features train", "missing required argument 'data'; see soflow features train --help"],
  ["features train x", "features: --out is missing; give the folder to write; see soflow features train --help"],
  ["export x", "export: --out is missing; give the folder to make; see soflow export --help"],
])("soflow %s: %s", async (line, message) => {
  expect(await soflow(line)).toEqual({ code: 2, out: "", err: `soflow: ${message}\n` });
});

/** An error as Node throws it for a system call. */
const refusal = (code: string, more: object): Error =>
  Object.assign(new Error(`${code}: as the system says it, open 'runs/x'`), {
    code,
    errno: -1,
    syscall: "open",
    ...more,
  });

describe("what the operating system refuses is one line for the user, exit code 2", () => {
  const codes = [...getSystemErrorMap().values()].map(([code]) => code).filter((code) => /^E/.test(code));

  test.each(codes)("%s", (code) => {
    const { code: exit, text } = outcomeOf(refusal(code, { path: "runs/x" }));
    expect(exit).toBe(2);
    expect(text).toMatch(new RegExp(`^soflow: runs/x: [a-z][^\n]*; [a-z][^\n]* \\(${code}\\)\n$`));
  });

  test.each([
    ["EACCES", { path: "runs/x" }, "runs/x: permission is denied; change its permissions, or choose another path"],
    ["ENOTDIR", { path: "a/b" }, "a/b: part of this path is a file where a folder is needed; check the path"],
    ["EEXIST", { path: "a" }, "a: this is there already, and not as what is needed; remove it, or choose another path"],
    [
      "EEXIST",
      { syscall: "mkdir", path: "a" },
      "a: this is a file where a folder is needed; remove it, or choose another path",
    ],
    ["EISDIR", { path: "a" }, "a: this is a folder where a file is needed; check the path"],
    ["ENOENT", { path: "a" }, "a: there is no such file or folder; check the path"],
    [
      "EXDEV",
      { path: "a", dest: "b" },
      "a to b: a file cannot be moved to another file system; choose a path on the same one",
    ],
    [
      "EADDRINUSE",
      { address: "::1", port: 80 },
      "::1:80: the port is in use by another program; choose another --port",
    ],
    [
      "ENOSPC",
      { syscall: "write" },
      "a file or connection (write): the disk is full; free some space, then give the same command again",
    ],
  ])("%s in words", (code, more, message) => {
    expect(outcomeOf(refusal(code, more))).toEqual({ code: 2, text: `soflow: ${message} (${code})\n` });
  });

  test("through a verb, and never for other errors", async () => {
    const load = async () => new Command("fail").action(() => Promise.reject(refusal("EROFS", { path: "p" })));
    const lines: string[] = [];
    const output = { out: () => {}, err: (text: string) => void lines.push(text) };
    expect(await runProgram(["fail"], [{ name: "fail", load }], output)).toBe(2);
    expect(lines.join("")).toBe("soflow: p: the file system is read-only; choose another path (EROFS)\n");
    fc.assert(
      fc.property(fc.string(), (code) => {
        expect(outcomeOf(Object.assign(new Error("ours"), { code })).code).toBe(70); // no system call: an error of ours
      }),
    );
  });
});
