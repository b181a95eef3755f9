import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Parameter } from "../nn/index.js";
import { parameterInput } from "../nn/index.js";
import { input } from "../ops/index.js";
import { emaDecay, scaleByLearningRate } from "../optim/index.js";
import { key } from "../random/random.js";
import { openRuntime, type Runtime, type RuntimeKind } from "../runtime/index.js";
import type { AveragePrecision, SlowAverage } from "./average.js";
import { emaName, TrainingStep } from "./step.js";

const NAMES = ["a", "b.c"];
const SIZE = 7;
const START: Record<string, Float32Array<ArrayBuffer>> = Object.fromEntries(
  NAMES.map((name) => [name, key(5).fold(name).normal(SIZE)]),
);

const parameters: readonly Parameter[] = NAMES.map((name) => ({
  name,
  tensor: input(parameterInput(name), { dtype: "float32", shape: [SIZE] }),
  initialize: () => START[name]!,
}));

/** Descent on the distance to `x`, so that weights move. */
const open = async (runtime: Runtime, averages: { slowAverage: SlowAverage } | { ema: (k: number) => number }) => {
  const x = input("x", { dtype: "float32", shape: [SIZE] });
  const step = await TrainingStep.create(runtime, {
    loss: {
      loss: parameters[0]!.tensor.sub(x).square().sum().add(parameters[1]!.tensor.add(x).square().sum()),
      report: {},
    },
    parameters,
    transform: scaleByLearningRate(() => 0.1),
    averages: "ema" in averages ? { ema: averages.ema } : {},
    ...("slowAverage" in averages && averages),
    clipNorm: null,
  });
  for (const name of NAMES)
    for (const own of [parameterInput(name), emaName(name)]) await step.state.write(own, START[name]!);
  return step;
};

const advance = async (step: TrainingStep, k: number): Promise<void> => {
  await step.gradients({ x: key(k).fold("x").normal(SIZE) });
  await step.update(k);
};

const readAll = async (step: TrainingStep, nameOf: (name: string) => string) =>
  Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await step.state.read(nameOf(name))] as const)),
  );

const withRuntime = async (kind: RuntimeKind, use: (runtime: Runtime) => Promise<void>): Promise<void> => {
  const runtime = await openRuntime({ kind, threads: 1 });
  await use(runtime).finally(() => runtime.close());
};

describe.each(["native", "portable"] as const)("%s", (kind) => {
  test("the average follows a float64 loop over the weights of every n-th step, and rests between", async () => {
    const cases = fc.record({
      every: fc.integer({ min: 1, max: 5 }),
      precision: fc.constantFrom<AveragePrecision>("float32", "float64"),
      decay: fc.double({ min: 0, max: 0.9999, noNaN: true }),
      warmup: fc.boolean(),
    });
    await withRuntime(kind, (runtime) =>
      fc.assert(
        fc.asyncProperty(cases, async ({ every, precision, ...options }) => {
          const decay = emaDecay({ ...options, every });
          const step = await open(runtime, { slowAverage: { every, precision, decay } });
          const wanted = Object.fromEntries(NAMES.map((name) => [name, Float64Array.from(START[name]!)]));
          for (let k = 1; k <= 2 * every + 1; k++) {
            await advance(step, k);
            if (k % every === 0)
              for (const [name, weights] of Object.entries(await readAll(step, parameterInput)))
                wanted[name] = wanted[name]!.map((e, i) => decay(k) * e + (1 - decay(k)) * Number(weights[i]));
            for (const [name, average] of Object.entries(await readAll(step, emaName)))
              for (let i = 0; i < SIZE; i++)
                expect(Math.abs(Number(average[i]) - wanted[name]![i]!)).toBeLessThan(
                  precision === "float64" ? 1e-15 * 8 : 1e-6,
                );
          }
          step.release();
        }),
        { numRuns: 8 },
      ),
    );
  });
});

test("at every step and in float32 it is, bit for bit, the average that the update program keeps", async () => {
  await withRuntime("native", async (runtime) => {
    const decay = () => 0.9;
    const inside = await open(runtime, { ema: decay });
    const apart = await open(runtime, { slowAverage: { every: 1, precision: "float32", decay } });
    for (let k = 1; k <= 5; k++) {
      await advance(inside, k);
      await advance(apart, k);
    }
    expect(await readAll(apart, emaName)).toEqual(await readAll(inside, emaName));
    expect(await readAll(apart, parameterInput)).toEqual(await readAll(inside, parameterInput));
    inside.release();
    apart.release();
  });
});

test("float64 keeps what float32 loses: small steps towards weights that stay", async () => {
  await withRuntime("native", async (runtime) => {
    const moved = async (precision: AveragePrecision): Promise<number> => {
      const step = await open(runtime, { slowAverage: { every: 1, precision, decay: () => 1 - 1e-8 } });
      await advance(step, 1);
      const start = Number((await step.state.read(emaName("a")))[0]);
      for (let k = 2; k <= 4; k++) await advance(step, k);
      const end = Number((await step.state.read(emaName("a")))[0]);
      step.release();
      return Math.abs(end - start);
    };
    expect(await moved("float32")).toBe(0);
    expect(await moved("float64")).toBeGreaterThan(0);
  });
});

test("samples are drawn with the average in float32", async () => {
  await withRuntime("native", async (runtime) => {
    const step = await open(runtime, { slowAverage: { every: 1, precision: "float64", decay: () => 0.9 } });
    await advance(step, 1);
    const { weights, release } = await step.averaged();
    for (const [name, average] of Object.entries(await readAll(step, emaName)))
      expect(await weights[parameterInput(name)]!.read()).toEqual(Float32Array.from(average as Float64Array));
    release();
    step.release();
  });
});

test("n applications of one step have the decay of one of n steps", () => {
  const every = fc.integer({ min: 1, max: 100 });
  fc.assert(
    fc.property(every, fc.double({ min: 0.5, max: 0.99999, noNaN: true }), (n, decay) => {
      const joined = emaDecay({ decay, warmup: false, every: n })(n);
      const single = emaDecay({ decay, warmup: false });
      const product = Array.from({ length: n }, (_, i) => single(i + 1)).reduce((a, b) => a * b, 1);
      expect(joined).toBeCloseTo(product, 12);
    }),
  );
});
