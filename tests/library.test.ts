import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../src/errors.js";
import { key } from "../src/random/random.js";
import { openRuntime, type Runtime } from "../src/runtime/index.js";
import { collect, Generator } from "../src/train/generate.js";
import { Generators } from "../src/train/generators.js";
import { type ModelDescription, openNetwork, readDescription } from "../src/train/model.js";
import { SoFlow } from "../src/train/pretrained.js";
import { drawSamples, sampleToFiles } from "../src/train/sample.js";
import { answerOf, anyCall, type Call } from "./overlap.js";
import { writeTinyModel } from "./serve/model.js";

/** The library as plain JavaScript uses it: calls that overlap, options of all kinds, and memory. */

let folder: string;
let source: string;
const opened: SoFlow[] = [];
const open = async (path = source): Promise<SoFlow> => {
  const model = await SoFlow.fromPretrained(path, { threads: 1 });
  opened.push(model);
  return model;
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-library-"));
  source = await writeTinyModel(folder, "tiny");
});
afterEach(async () => {
  for (const model of opened.splice(0)) await model.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const CLOSED = "the model was closed; open it again with SoFlow.fromPretrained";

describe("calls that overlap", () => {
  test("two seeds at once are two seeds", async () => {
    const model = await open();
    const alone = [await model.generate({ seed: 1, labels: [0] }), await model.generate({ seed: 2, labels: [1] })];
    const both = await Promise.all([
      model.generate({ seed: 1, labels: [0] }),
      model.generate({ seed: 2, labels: [1] }),
    ]);
    expect(both).toEqual(alone);
    expect(both[0].images).not.toEqual(both[1].images);
  });

  test("any mixture from any number of callers gives what each gives alone", async () => {
    const quiet = await open();
    const alone = new Map<string, Promise<unknown>>();
    const aloneOf = (call: Call): Promise<unknown> => {
      const name = JSON.stringify(call);
      const known = alone.get(name) ?? answerOf(quiet, call);
      alone.set(name, known);
      return known;
    };
    const callers = fc.array(fc.array(anyCall, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 12 });
    const model = await open();
    await fc.assert(
      fc.asyncProperty(callers, async (plans) => {
        const found = await Promise.all(
          plans.map(async (calls) => {
            const answers: unknown[] = [];
            for (const call of calls) answers.push(await answerOf(model, call));
            return answers;
          }),
        );
        for (const [i, calls] of plans.entries())
          for (const [j, call] of calls.entries()) expect(found[i]![j]).toEqual(await aloneOf(call));
      }),
      { numRuns: 6 },
    );
  });

  test("closing waits for what was asked before, and refuses what comes after", async () => {
    const [model, other] = [await open(), await open()];
    const wanted = await other.generate({ seed: 3, count: 5 });
    const before = model.generate({ seed: 3, count: 5 });
    const closing = model.close();
    const after = [model.generate({ seed: 3 }), model.edit({ image: new Float32Array(64), strength: 0.5 })];
    await expect(after[0]).rejects.toThrow(`generate: ${CLOSED}`);
    await expect(after[1]).rejects.toThrow(`edit: ${CLOSED}`);
    expect(await before).toEqual(wanted);
    await closing;
    await expect(model.close()).resolves.toBeUndefined();
    await expect(model.generate()).rejects.toThrow(UserError);
  });

  test("what is changed after a call does not change the call", async () => {
    const model = await open();
    const image = key(1).normal(64);
    const mask = key(2).uniform(64);
    const labels = [1, 2];
    const options = { count: 3, seed: 1, labels };
    const [wanted, edited] = [
      await model.generate({ ...options, labels: [...labels] }),
      await model.edit({ image: image.slice(), mask: mask.slice(), strength: 0.5 }),
    ];
    const first = model.generate({ seed: 9, count: 4 }); // the others wait behind it
    const [generated, changed] = [model.generate(options), model.edit({ image, mask, strength: 0.5 })];
    labels.fill(0);
    options.seed = 7;
    image.fill(5);
    mask.fill(0);
    await first;
    expect(await generated).toEqual(wanted);
    expect(await changed).toEqual(edited);
  });

  test("a call that fails leaves the next one as it would be", async () => {
    const model = await open();
    const wanted = await model.generate({ seed: 2 });
    const settled = await Promise.allSettled([
      model.generate({ sampler: "ddim" as never }),
      model.generate({ guidance: 3 }),
      model.generate({ seed: 2 }),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect((settled[2] as PromiseFulfilledResult<unknown>).value).toEqual(wanted);
  });
});

describe("a generator", () => {
  let runtime: Runtime;
  let description: ModelDescription;
  beforeAll(async () => {
    runtime = await openRuntime({ threads: 1 });
    description = await readDescription(join(source, "config.json"));
  });
  afterAll(() => runtime.close());

  const weights = (scale = 0.3) =>
    Object.fromEntries(
      openNetwork(description.network).parameters.map(({ name, tensor: { shape } }) => {
        const values = key(1)
          .fold(name)
          .normal(shape.reduce((n, d) => n * d, 1));
        return [`parameter.${name}`, values.map((z) => scale * z)];
      }),
    );

  test("takes batches of several callers in turn, and is released when they are done", async () => {
    const generator = await Generator.create(runtime, description, { batch: 2 }, weights());
    const draw = (seed: number) => collect(generator.generate({ count: 5, labels: [seed % 3], seed }));
    const alone = [await draw(1), await draw(2), await draw(3)];
    expect(await Promise.all([draw(1), draw(2), draw(3)])).toEqual(alone);
    const sample = (label: number) => ({ label, noise: (move: number) => key(label).fold(move).normal(64) });
    const single = await generator.draw([sample(1)]);
    const [last, ...rest] = [generator.draw([sample(1)]), generator.draw([sample(2)])];
    const released = generator.release();
    expect(await last).toEqual(single);
    await Promise.all([...rest, released]);
    await expect(generator.draw([sample(1)])).rejects.toThrow("generator: it was released; make another");
  });

  test("keeps apart what callers compute with weights of their own", async () => {
    const generator = await Generator.create(runtime, description, { batch: 1 });
    const given = [0.3, -0.2].map((scale) =>
      Object.fromEntries(
        Object.entries(weights(scale)).map(([name, values]) => {
          const { shape } = openNetwork(description.network).parameters.find((p) => name.endsWith(p.name))!.tensor;
          return [name, runtime.tensor({ dtype: "float32", shape }, values)];
        }),
      ),
    );
    const draw = (i: number) => collect(generator.generate({ count: 3, labels: [1], seed: 1, weights: given[i]! }));
    const alone = [await draw(0), await draw(1)];
    expect(alone[0]!.images).not.toEqual(alone[1]!.images);
    expect(await Promise.all([draw(0), draw(1)])).toEqual(alone);
    await generator.release();
    for (const tensor of given.flatMap((all) => Object.values(all))) tensor.dispose();
  });

  test("that could not be compiled is compiled the next time", async () => {
    let failures = 1;
    const failing: Runtime = Object.assign(Object.create(runtime) as Runtime, {
      compile: (program: Parameters<Runtime["compile"]>[0]) =>
        failures-- > 0 ? Promise.reject(new Error("out of memory")) : runtime.compile(program),
    });
    const generators = new Generators(failing, description, weights());
    const request = { count: 2, labels: [0], seed: 1, settings: { batch: 64 } };
    await expect(generators.draw(request)).rejects.toThrow("out of memory");
    expect(generators.size).toBe(0);
    expect((await generators.draw(request)).images).toHaveLength(128);
    await generators.release();
  });

  test("that was not used for longest is released: no more than a few are kept, whatever is asked for", async () => {
    const created: number[] = [];
    const counting: Runtime = Object.assign(Object.create(runtime) as Runtime, {
      compile: async (program: Parameters<Runtime["compile"]>[0]) => {
        const executable = await runtime.compile(program);
        created.push(1);
        return Object.assign(Object.create(executable) as typeof executable, {
          release: () => {
            created.pop();
            executable.release();
          },
        });
      },
    });
    const generators = new Generators(counting, description, weights(), 3);
    for (let count = 1; count <= 40; count++) {
      await generators.draw({ count, labels: [0], seed: 1, settings: { batch: 64, steps: 1 + (count % 5) } });
      expect(generators.size).toBeLessThanOrEqual(3);
    }
    expect(created.length).toBeLessThanOrEqual(6); // two programs each
    await generators.release();
    expect(created).toEqual([]);
  });
});

describe("an image does not depend on the batch it is computed in, bit for bit", () => {
  const common = { channels: 2, classes: 3, times: 2, nullLabel: false } as const;
  test.each([
    ["DiT", { imageSize: 8, patch: 2, width: 20, depth: 1, heads: 2 }],
    [
      "U-Net",
      { kind: "unet", imageSize: 8, width: 8, multipliers: [1, 2], depth: 1, attention: [4], dropout: 0, augment: 0 },
    ],
    ["MLP", { kind: "mlp", imageSize: 1, width: 32, depth: 2 }],
    ["MLP of odd sizes", { kind: "mlp", imageSize: 3, width: 7, depth: 1 }],
  ] as const)("%s", async (name, network) => {
    const path = await writeTinyModel(folder, `bits ${name}`, undefined, { ...common, ...network } as never);
    const model = await open(path);
    const { images } = await model.generate({ count: 20, seed: 1, steps: 2 });
    const size = images.length / 20;
    for (const [count, batch] of [
      [1, 64],
      [2, 64],
      [3, 64],
      [5, 4],
      [7, 3],
      [20, 1],
      [20, 16],
      [9, 9],
    ] as const) {
      const part = await model.generate({ count, batch, seed: 1, steps: 2 });
      expect([...part.images], `${count} in batches of ${batch}`).toEqual([...images.subarray(0, count * size)]);
      const drawn = await drawSamples({ source: path, count, batch, seed: 1, steps: 2, threads: 1 });
      expect([...drawn.images], `drawSamples ${count} in batches of ${batch}`).toEqual([...part.images]);
    }
  });
});

describe("options in plain JavaScript", () => {
  const image = new Float32Array(64);
  const GENERATE: readonly (readonly [object, string])[] = [
    [{ count: -1 }, "count is -1; it must be a whole number from 1 to 10000000"],
    [{ count: 0 }, "count is 0; it must be a whole number from 1 to 10000000"],
    [{ count: 1.5 }, "count is 1.5; it must be a whole number from 1 to 10000000"],
    [{ count: "4" }, 'count is "4"; it must be a whole number from 1 to 10000000'],
    [{ count: null }, "count is null; it must be a whole number from 1 to 10000000"],
    [{ count: 2 ** 53 }, "count is 9007199254740992; it must be a whole number from 1 to 10000000"],
    [{ seed: Number.NaN }, "seed is NaN; it must be a whole number of at least 0"],
    [{ seed: "hello" }, 'seed is "hello"; it must be a whole number of at least 0'],
    [{ seed: 1.7 }, "seed is 1.7; it must be a whole number of at least 0"],
    [{ seed: -1 }, "seed is -1; it must be a whole number of at least 0"],
    [{ seed: 5n }, "seed is 5n; it must be a whole number of at least 0"],
    [{ steps: 0 }, "steps is 0; it must be a whole number from 1 to 100000"],
    [{ steps: 1e9 }, "steps is 1000000000; it must be a whole number from 1 to 100000"],
    [{ batch: 0 }, "batch is 0; it must be a whole number from 1 to 1000000"],
    [{ batch: 1e15 }, "batch is 1000000000000000; it must be a whole number from 1 to 1000000"],
    [{ labels: 3 }, "labels is 3; it must be a list of label numbers, whole and at least 0"],
    [{ labels: ["a"] }, 'labels is ["a"]; it must be a list of label numbers, whole and at least 0'],
    [{ labels: [-1] }, "labels is [-1]; it must be a list of label numbers, whole and at least 0"],
    [{ labels: [3] }, "label 3 is out of range; the model has labels 0 to 2"],
    [{ labels: [] }, "labels is empty; the model has labels 0 to 2"],
    [{ guidance: "2" }, 'guidance is "2"; it must be a finite number'],
    [{ guidance: Number.POSITIVE_INFINITY }, "guidance is Infinity; it must be a finite number"],
    [{ precision: "int9" }, 'precision is "int9"; it must be float32 or int8; did you mean int8?'],
    [
      { sampler: 7 },
      "sampler is 7; it must be euler, midpoint, heun, rk4, dopri5, ancestral, ddim, edm, multistep, solution or renoise",
    ],
    [
      { cuont: 3 },
      "there is no option cuont (did you mean count?); the options are count, labels, seed, steps, batch, sampler, precision, guidance, eta, churn, atol, rtol",
    ],
  ];
  const EDIT: readonly (readonly [object, string])[] = [
    [{ strength: 0.5 }, "image is missing; it must be a Float32Array"],
    [{ image }, "strength is missing; it must be a number from 0 to 1"],
    [{ image, strength: -0.1 }, "strength is -0.1; it must be from 0 to 1"],
    [{ image, strength: Number.NaN }, "strength is NaN; it must be from 0 to 1"],
    [{ image, strength: "half" }, 'strength is "half"; it must be a number from 0 to 1'],
    [{ image: [...image], strength: 1 }, "image is a list of 64; it must be a Float32Array"],
    [{ image: image.slice(1), strength: 1 }, "the image has 63 numbers; it must have 64"],
    [{ image: image.map((_, i) => (i === 5 ? Number.NaN : 0)), strength: 1 }, "image[5] is NaN; it must be finite"],
    [
      { image, mask: new Float32Array(63), strength: 1 },
      "the mask has 63 numbers; it must have 64, one for each pixel",
    ],
    [{ image, mask: new Float32Array(64).fill(2), strength: 1 }, "mask[0] is 2; it must be from 0 to 1"],
    [{ image, strength: 1, steps: 0 }, "steps is 0; it must be a whole number from 1 to 100000"],
    [{ image, strength: 1, steps: 1.5 }, "steps is 1.5; it must be a whole number from 1 to 100000"],
    [{ image, strength: 1, seed: -1 }, "seed is -1; it must be a whole number of at least 0"],
    [{ image, strength: 1, label: 3 }, "label 3 is out of range; the model has labels 0 to 2"],
    [
      { image, strength: 1, labels: [1] },
      "there is no option labels (did you mean label?); the options are image, strength, label, seed, mask, steps",
    ],
  ];

  test("each that cannot be is one line, and the model goes on and closes", async () => {
    const model = await open();
    const wanted = await model.generate({ seed: 1 });
    const messages = async (
      call: (options: never) => Promise<unknown>,
      table: readonly (readonly [object, string])[],
    ) => Promise.all(table.map(([options]) => call(options as never).then(String, (thrown: unknown) => thrown)));
    const found = [
      ...(await messages((options) => model.generate(options), GENERATE)),
      ...(await messages((options) => model.edit(options), EDIT)),
    ];
    const texts = [...GENERATE.map(([, text]) => `generate: ${text}`), ...EDIT.map(([, text]) => `edit: ${text}`)];
    expect(found.map((thrown) => (thrown as Error).message)).toEqual(texts);
    for (const thrown of found) expect(thrown).toBeInstanceOf(UserError);
    expect(await model.generate({ seed: 1 })).toEqual(wanted);
    await model.close();
  });

  test("options must be an object", async () => {
    const model = await open();
    await expect(model.generate(7 as never)).rejects.toThrow(
      "generate: the options are 7; they must be an object with",
    );
    await expect(model.generate(null as never)).rejects.toThrow("generate: the options are null; they must be");
    await expect(model.edit(undefined as never)).rejects.toThrow("edit: the options are undefined; they must be");
  });

  test("a count that memory cannot hold says how many fit", async () => {
    const big = { imageSize: 1024, patch: 128, channels: 3, width: 4, heads: 1 };
    const model = await open(await writeTinyModel(folder, "big", undefined, big));
    await expect(model.generate({ count: 100_000 })).rejects.toThrow(
      "generate: count is 100000; images of 3×1024×1024 then take 1.26 TB; at most 341 fit in one call",
    );
    await expect(model.generate({ batch: 1000 })).rejects.toThrow(
      "generate: batch is 1000; it must be a whole number from 1 to 341",
    );
  });

  test.each([
    [{ threads: 0 }, "threads is 0; it must be a whole number from 1 to 1024"],
    [{ threads: "2" }, 'threads is "2"; it must be a whole number from 1 to 1024'],
    [{ vae: 5 }, "vae is 5; it must be a text"],
    [{ onProgress: "yes" }, 'onProgress is "yes"; it must be a function'],
    [{ offline: "no" }, 'offline is "no"; it must be true or false'],
    [{ thread: 2 }, "there is no option thread (did you mean threads?); the options are revision, "],
  ])("fromPretrained %j", async (options, text) => {
    await expect(SoFlow.fromPretrained(source, options as never)).rejects.toThrow(`fromPretrained: ${text}`);
  });

  test("fromPretrained without a path", () =>
    expect(SoFlow.fromPretrained(undefined as never)).rejects.toThrow(
      "fromPretrained: the first argument must be the path of a model or its id, owner/name",
    ));

  const out = { path: "never.png", kind: "png" } as const;
  test.each([
    [{ count: -1 }, "count is -1; it must be a whole number from 1 to 10000000"],
    [{ seed: undefined }, "seed is missing; it must be a whole number of at least 0"],
    [{ labels: [-1] }, "labels is [-1]; it must be a list of label numbers, whole and at least 0"],
    [{ labels: [3] }, "label 3 is out of range; the model has labels 0 to 2"],
    [{ weights: "emma" }, 'weights is "emma"; it must be ema or model; did you mean ema?'],
    [{ scale: 0 }, "scale is 0; it must be a whole number from 1 to 1024"],
    [{ scale: 100_000 }, "scale is 100000; it must be a whole number from 1 to 1024"],
    [
      { out: "x.png" },
      'out is "x.png"; it must be an object such as { path: "samples.png", kind: "png" }; kinds are png, npz and folder',
    ],
    [{ scael: 2 }, "there is no option scael (did you mean scale?); the options are source, "],
  ])("sampleToFiles %j", async (options, text) => {
    const all = { source, count: 1, seed: 0, out, scale: 1, threads: 1, ...options };
    await expect(sampleToFiles(all as never)).rejects.toThrow(`sample: ${text}`);
  });

  test("a picture that is too large is refused before anything is drawn", async () => {
    let drawn = 0;
    const all = { source, count: 10_000, seed: 0, out, scale: 1000, onProgress: () => drawn++ };
    await expect(sampleToFiles(all)).rejects.toThrow(
      "sample: --scale is 1000 and makes a picture of 800202×800202 pixels; 268435456 are possible: at most 20 fits",
    );
    expect(drawn).toBe(0);
  });
});
