import { Command } from "commander";
import { expect, test, vi } from "vitest";
import { UserError } from "../errors.js";
import type { Runtime } from "../runtime/index.js";
import { SAMPLERS } from "../samplers/index.js";
import { type CompareOptions, compareCommand } from "./compare.js";
import { doctorCommand, type Engine } from "./doctor.js";
import { type DownloadOptions, downloadCommand } from "./download.js";
import { type EncodeJob, encodeCommand } from "./encode.js";
import { FailedCheck, Interrupted } from "./errors.js";
import { type EvaluateOptions, evaluateCommand } from "./evaluate.js";
import { type FeaturesOptions, featuresCommand } from "./features.js";
import { type ImportOptions, importCommand } from "./import.js";
import { SAMPLER_NAMES } from "./options.js";
import { presetsCommand } from "./presets.js";
import { runProgram, type Verb } from "./program.js";
import { type QuickstartOptions, quickstartCommand } from "./quickstart.js";
import { type SampleOptions, sampleCommand } from "./sample.js";
import { type SiteOptions, siteCommand } from "./site.js";
import { type TrainOptions, trainCommand } from "./train.js";
import { type VerifyOptions, verifyCommand } from "./verify.js";

/** Runs a command line over all verbs; what the verb's function was given, what was printed, the exit code. */
const soflow = async (
  line: readonly string[],
  { passed = true, engine = workingEngine }: { passed?: boolean; engine?: Engine } = {},
) => {
  const given: (
    | TrainOptions
    | SampleOptions
    | ImportOptions
    | DownloadOptions
    | EncodeJob
    | SiteOptions
    | CompareOptions
    | FeaturesOptions
    | EvaluateOptions
    | VerifyOptions
    | QuickstartOptions
  )[] = [];
  const printed = { out: "", err: "" };
  const out = (text: string) => {
    printed.out += text;
  };
  const keep = async (options: (typeof given)[number]) => {
    given.push(options);
  };
  const loaded: string[] = [];
  const verb = (name: string, command: () => Command): Verb => ({
    name,
    load: async () => {
      loaded.push(name);
      return command();
    },
  });
  const verbs = [
    verb("quickstart", () => quickstartCommand(keep)),
    verb("train", () => trainCommand(keep)),
    verb("sample", () => sampleCommand(keep)),
    verb("import", () => importCommand(keep)),
    verb("download", () => downloadCommand(keep)),
    verb("encode", () => encodeCommand(keep)),
    verb("presets", () => presetsCommand(async (name) => (await import("./run/presets.js")).run(name, out))),
    verb("site", () => siteCommand(keep)),
    verb("compare", () => compareCommand(keep)),
    verb("features", () => featuresCommand(keep)),
    verb("evaluate", () => evaluateCommand(keep)),
    verb("verify", () => verifyCommand(async (options) => keep(options).then(() => passed))),
    verb("doctor", () => doctorCommand(engine, out)),
  ];
  const err = (text: string) => {
    printed.err += text;
  };
  const code = await runProgram(line, verbs, { out, err });
  return { code, given: given[0], loaded, ...printed };
};

const runtime = { name: "native-cpu", version: "1.30.0", threads: 2, close: async () => {} } as unknown as Runtime;
const workingEngine: Engine = {
  openRuntime: async () => ({ runtime, providers: ["cpu"], fallback: "no GPU was found" }),
  matmulRate: async () => ({ gflops: 101.4, spread: 2.6 }),
};

test("a verb that is named is the only one loaded", async () => {
  for (const name of [
    "quickstart",
    "train",
    "sample",
    "import",
    "download",
    "encode",
    "presets",
    "site",
    "compare",
    "features",
    "evaluate",
    "verify",
    "doctor",
  ]) {
    const { code, loaded, out } = await soflow([name, "--help"]);
    expect(code).toBe(0);
    expect(loaded).toEqual([name]);
    expect(out).toContain(`Usage: soflow ${name}`);
  }
});

test("help lists the verbs, and version is the package's", async () => {
  const { code, out } = await soflow(["--help"]);
  expect(code).toBe(0);
  for (const name of [
    "quickstart",
    "train",
    "sample",
    "import",
    "presets",
    "site",
    "compare",
    "features",
    "evaluate",
    "verify",
    "doctor",
    "Examples:",
    "Exit codes:",
  ])
    expect(out).toContain(name);
  expect((await soflow(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await soflow([])).toMatchObject({ code: 2 });
});

test("import: a checkpoint, its configuration, a folder", async () => {
  const { given } = await soflow(["import", "x.pt", "--config", "c.yaml", "--out", "runs/x", "--set", "seed=1"]);
  expect(given).toEqual({ checkpoint: "x.pt", config: "c.yaml", out: "runs/x", overrides: ["seed=1"] });
  const missing = await soflow(["import", "x.pt", "--out", "runs/x"]);
  expect(missing).toMatchObject({ code: 2, given: undefined });
  expect(missing.err).toBe(
    "soflow: import: --config is missing; give the checkpoint's YAML file, or a preset; see soflow import --help\n",
  );
});

test("presets: a table with the published numbers, one of them as YAML, and a name that is not there", async () => {
  const { out, code } = await soflow(["presets"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^soflow-imagenet-xl2 +2\.9617 +2\.6606 +1\.2 M +256$/m);
  expect(out).toMatch(/^meanflow-cifar10 +2\.92 +0\.8 M +1024$/m);
  expect(out).toContain("arXiv:2512.15657");
  const one = await soflow(["presets", "soflow-cifar10"]);
  expect(one.out).toMatch(/^# soflow-cifar10: published FID-50K 2\.86 with 1 evaluation, 2\.2827 with 2\.\n/);
  expect(await soflow(["presets", "soflow-cifar"])).toMatchObject({
    code: 2,
    err: "soflow: presets: there is no soflow-cifar; did you mean soflow-cifar10?; soflow presets lists those there are\n",
  });
});

test("train --preset: the settings of a published result, with overrides; not beside --config", async () => {
  const { given } = await soflow(["train", "--preset", "soflow-cifar10", "--set", "data.path=here"]);
  expect(given).toMatchObject({
    config: { out: "runs/soflow-cifar10", data: { path: "here", augment: 0.12 }, optimizer: { kind: "radam" } },
  });
  const both = await soflow(["train", "--preset", "soflow-cifar10", "--config", "quickstart"]);
  expect(both.err).toBe(
    "soflow: train: both --config and --preset are given; keep one of the two; see soflow train --help\n",
  );
});

test("features: a name of the data's, which is never inception", async () => {
  const { given } = await soflow(["features", "train", "data/my flowers/", "--out", "f", "--steps", "9"]);
  expect(given).toEqual({
    data: "data/my flowers/",
    out: "f",
    name: "myflowers-classifier",
    steps: 9,
    batch: 128,
    size: 32,
    seed: 0,
    signal: expect.any(AbortSignal),
  });
  expect((await soflow(["features", "train", "quickstart"])).err).toBe(
    "soflow: features: --out is missing; give the folder to write; see soflow features train --help\n",
  );
  expect((await soflow(["features", "train", "x", "--out", "f", "--name", "inception"])).err).toBe(
    "soflow: features: the name \"inception\" must be letters, digits, '.', '-' and '_', and not inception; see soflow features train --help\n",
  );
});

test("evaluate: parts, merging, and what must be given", async () => {
  const line = ["evaluate", "runs/x", "--reference", "quickstart", "--features", "f"];
  const { given } = await soflow([...line, "-n", "100", "--steps", "2", "--part", "2/3"]);
  expect(given).toMatchObject({
    samples: "runs/x",
    count: 100,
    draw: { seed: 0, steps: 2 },
    part: { index: 2, of: 3 },
  });
  expect((await soflow([...line, "--merge", "a", "b"])).given).toMatchObject({ merge: ["a", "b"] });
  for (const part of ["0/2", "3/2", "1"]) {
    const { code, err } = await soflow([...line, "--part", part]);
    expect([code, err]).toEqual([
      2,
      expect.stringContaining("It must be i/n with i from 1 to n, such as 1/4; see soflow evaluate --help"),
    ]);
  }
  expect((await soflow(["evaluate", "runs/x", "--reference", "r"])).err).toBe(
    "soflow: evaluate: --features is missing; give a folder of soflow features train, or inception; see soflow evaluate --help\n",
  );
});

test("train: defaults, overrides, and --out and --threads over the configuration", async () => {
  const { given } = await soflow(["train", "--config", "quickstart"]);
  expect(given).toMatchObject({ config: { out: "runs/quickstart", seed: 0 }, resumeFrom: null });
  const line = ["train", "--config", "quickstart", "--set", "seed=3", "--set", "train.batch=4"];
  const full = await soflow([...line, "--out", "runs/x", "--threads", "2", "--resume-from", "runs/x/checkpoints/9"]);
  expect(full.given).toMatchObject({
    config: { out: "runs/x", seed: 3, train: { batch: 4, threads: 2 } },
    resumeFrom: "runs/x/checkpoints/9",
  });
});

test("sample: defaults and every option", async () => {
  expect((await soflow(["sample", "runs/x"])).given).toEqual({
    source: "runs/x",
    count: 64,
    labels: null,
    seed: 0,
    batch: 64,
    out: { path: "samples.png", kind: "png" },
    scale: 1,
    precision: "float32",
    weights: "ema",
  });
  const options =
    "--count 10 --steps 2 --labels 0-2,5 --seed 7 --batch 5 --out o.npz --scale 3 --weights model --precision int8 --threads 2";
  expect((await soflow(["sample", "m.onnx", ...options.split(" ")])).given).toEqual({
    source: "m.onnx",
    count: 10,
    steps: 2,
    labels: [0, 1, 2, 5],
    seed: 7,
    batch: 5,
    out: { path: "o.npz", kind: "npz" },
    scale: 3,
    precision: "int8",
    threads: 2,
    weights: "model",
  });
  const wrong = await soflow(["sample", "runs/x", "--precision", "int2"]);
  expect(wrong.err).toContain("argument 'int2' is invalid. It must be float32 or int8; see soflow sample --help");
});

test("sample: options of samplers, whose names are those of the registry", async () => {
  const options = "--sampler dopri5 --guidance 1.5 --eta 0.5 --churn 10 --atol 1e-4 --rtol 1e-2";
  expect((await soflow(["sample", "runs/x", ...options.split(" ")])).given).toMatchObject({
    sampler: "dopri5",
    guidance: 1.5,
    eta: 0.5,
    churn: 10,
    atol: 1e-4,
    rtol: 1e-2,
  });
  expect([...SAMPLER_NAMES].sort()).toEqual(Object.keys(SAMPLERS).sort());
});

test("compare: a preset with overrides, --out and --threads", async () => {
  const line = "compare --config compare-checkerboard --set seeds=[1,2] --out here --threads 2".split(" ");
  const { given } = await soflow(line);
  expect(given).toMatchObject({ config: { name: "compare-checkerboard", seeds: [1, 2], out: "here", threads: 2 } });
  const missing = await soflow(["compare"]);
  expect(missing).toMatchObject({ code: 2 });
  expect(missing.err).toMatch(/^soflow: compare: --config is missing; give a YAML file, or a preset: compare-/);
});

test("verify: options, and the exit code says whether all passed", async () => {
  const all = await soflow(["verify", "fixtures"]);
  expect(all.code).toBe(0);
  expect(all.given).toEqual({ folder: "fixtures", requireAll: false });
  const some = await soflow(["verify", "f", "--only", "a,b", "--require-all"], { passed: false });
  expect(some).toMatchObject({ code: 1, given: { folder: "f", only: ["a", "b"], requireAll: true } });
  expect(some.err).toBe("soflow: verify f: not every check passed\n");
});

test("quickstart: options", async () => {
  expect((await soflow(["quickstart"])).given).toMatchObject({ out: "runs/quickstart", quick: false });
  expect((await soflow(["quickstart", "--quick", "--out", "q"])).given).toMatchObject({ out: "q", quick: true });
});

test.each([
  [["trian"], "soflow: unknown command 'trian' (did you mean train?); see soflow --help\n"],
  [
    ["train"],
    /^soflow: train: --config is missing; give a YAML file, or a preset: .*quickstart; soflow presets lists those of published results; see soflow train --help\n$/,
  ],
  [["train", "--cnofig", "x"], "soflow: unknown option '--cnofig' (did you mean --config?); see soflow train --help\n"],
  [["train", "--config", "nowhere.yaml"], /^soflow: config nowhere.yaml: there is no such file, and no preset/],
  [
    ["train", "--config", "quickstart", "--set", "seed=x", "--set", "ema.decay=1"],
    'soflow: --set seed=x seed: expected number, received string "x"\nsoflow: --set ema.decay=1 ema.decay is 1; it must be below 1\n',
  ],
  [["sample"], "soflow: missing required argument 'run-or-model'; see soflow sample --help\n"],
  [["sample", "r", "extra"], /^soflow: too many arguments for 'sample'/],
  [
    ["sample", "r", "--steps", "0"],
    "soflow: option '--steps <n>' argument '0' is invalid. It must be a whole number of at least 1; see soflow sample --help\n",
  ],
  [
    ["sample", "r", "--weights", "best"],
    "soflow: option '--weights <which>' argument 'best' is invalid. It must be ema or model; see soflow sample --help\n",
  ],
] as const)("bad input %j is one explanation and exit code 2", async (line, expected) => {
  const { code, err, given } = await soflow(line);
  expect(code).toBe(2);
  expect(given).toBeUndefined();
  if (typeof expected === "string") expect(err).toBe(expected);
  else expect(err).toMatch(expected);
});

test.each([
  [new UserError("steps is 0; it must be at least 1"), 2, /^soflow: steps is 0; it must be at least 1\n$/],
  [new FailedCheck("two of three"), 1, /^soflow: two of three\n$/],
  [new Interrupted("SIGINT", "saved"), 130, /^soflow: stopped by Ctrl-C; saved\n$/],
  [new Interrupted("SIGTERM", "saved"), 143, /^soflow: stopped by SIGTERM; saved\n$/],
  [new Interrupted("SIGHUP", "saved"), 129, /^soflow: stopped by SIGHUP; saved\n$/],
  [new TypeError("x is undefined"), 70, /^soflow: internal error[^\n]*\nTypeError: x is undefined\n +at /],
  ["a string", 70, /^soflow: internal error[^\n]*\na string\n$/],
] as const)("%s ends with exit code %i", async (thrown, expectedCode, expected) => {
  const load = async () =>
    new Command("fail").action(() => {
      throw thrown;
    });
  let err = "";
  const output = {
    out: () => {},
    err: (text: string) => {
      err += text;
    },
  };
  expect(await runProgram(["fail"], [{ name: "fail", load }], output)).toBe(expectedCode);
  expect(err).toMatch(expected);
});

test.each([
  ["SIGINT", 130, "\nsoflow: finishing this step; Ctrl-C again stops at once\n"],
  ["SIGTERM", 143, "\nsoflow: SIGTERM: finishing this step; a second signal stops at once\n"],
  ["SIGHUP", 129, "\nsoflow: SIGHUP: finishing this step; a second signal stops at once\n"],
] as const)(
  "%s aborts the signal; exit code %i when the work has returned, at once when it comes again",
  async (name, expected, text) => {
    let aborted = false;
    const exits: unknown[] = [];
    const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
      exits.push(code);
      return undefined as never;
    });
    const run = async ({ signal }: QuickstartOptions) => {
      const stopped = new Promise((resolve) => signal.addEventListener("abort", resolve));
      const warn = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      process.emit(name, name);
      expect(warn).toHaveBeenCalledWith(text);
      warn.mockRestore();
      await stopped;
      aborted = signal.aborted;
      expect(exits).toEqual([]);
      process.emit(name, name);
      expect(exits).toEqual([expected]);
    };
    const before = process.listenerCount(name);
    const verbs = [{ name: "quickstart", load: async () => quickstartCommand(run) }];
    expect(await runProgram(["quickstart"], verbs, { out: () => {}, err: () => {} })).toBe(expected);
    expect(aborted).toBe(true);
    expect(process.listenerCount(name)).toBe(before);
    exit.mockRestore();
  },
);

test("doctor prints a table, or JSON with the same facts", async () => {
  const { code, out } = await soflow(["doctor"]);
  expect(code).toBe(0);
  expect(out).toContain(`node             ${process.versions.node}\n`);
  expect(out).toContain(
    "onnxruntime      1.30.0\nruntime          native-cpu, 2 threads\nfallen back      no GPU was found\n",
  );
  expect(out).toContain("providers        cpu\nmatrix products  101 ± 3 GFLOP/s, float32\n");
  const report = JSON.parse((await soflow(["doctor", "--json"])).out) as unknown;
  expect(report).toMatchObject({ node: process.versions.node, runtime: { name: "native-cpu", gflops: 101.4 } });
});

test("doctor tells why the runtime does not open, and fails", async () => {
  const openRuntime = async () => Promise.reject(new Error("libonnxruntime.so.1 was not found"));
  const { code, out, err } = await soflow(["doctor"], { engine: { ...workingEngine, openRuntime } });
  expect(code).toBe(1);
  expect(out).toContain("runtime          does not open: libonnxruntime.so.1 was not found\n");
  expect(err).toBe("soflow: doctor: the runtime does not open\n");
});

test("encode: images with their autoencoder, a share of them, or parts to join", async () => {
  const words = "encode photos --vae vae --out o.h5 --size 64 --flip --part 2/4 --threads 2";
  expect((await soflow(words.split(" "))).given).toEqual({
    kind: "encode",
    signal: expect.any(AbortSignal),
    images: "photos",
    vae: "vae",
    out: "o.h5",
    size: 64,
    flip: true,
    part: { i: 2, n: 4 },
    threads: 2,
  });
  const merge = "encode --merge a.h5 b.h5 --out o.h5";
  expect((await soflow(merge.split(" "))).given).toEqual({
    kind: "merge",
    signal: expect.any(AbortSignal),
    out: "o.h5",
    parts: ["a.h5", "b.h5"],
  });
});

test.each([
  [
    "encode photos --out o.h5",
    "soflow: encode: --vae is missing; give the autoencoder's folder; see soflow encode --help\n",
  ],
  ["encode photos --vae v", "soflow: encode: --out is missing; give the .h5 file to make; see soflow encode --help\n"],
  [
    "encode a b --vae v --out o.h5",
    "soflow: encode: 2 paths are given; give one, or --merge to join parts; see soflow encode --help\n",
  ],
  [
    "encode photos --vae v --out o.h5 --part 5/4",
    "soflow: option '--part <i/n>' argument '5/4' is invalid. It must be i/n with i from 1 to n, such as 2/4; see soflow encode --help\n",
  ],
])("%s is refused", async (line, err) => {
  expect(await soflow(line.split(" "))).toMatchObject({ code: 2, err, given: undefined });
});

test("site's options are read as they are written", async () => {
  expect((await soflow(["site", "runs/a", "b=runs/c", "--out", "public"])).given).toEqual({
    models: ["runs/a", "b=runs/c"],
    out: "public",
    title: "soflow",
    precision: "float32",
  });
  const words = ["site", "m", "--out", "o", "--title", "Two words", "--precision", "float16", "--vae", "v"];
  expect((await soflow([...words, "--threads", "2"])).given).toEqual({
    models: ["m"],
    out: "o",
    title: "Two words",
    precision: "float16",
    vae: "v",
    threads: 2,
  });
});

test.each([
  ["site", "soflow: missing required argument 'models'; see soflow site --help\n"],
  ["site m", "soflow: site: --out is missing; give the folder to make; see soflow site --help\n"],
])("%s is refused", async (line, err) => {
  expect(await soflow(line.split(" "))).toMatchObject({ code: 2, err, given: undefined });
});
