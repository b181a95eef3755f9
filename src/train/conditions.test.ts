import { expect, test } from "vitest";
import { lower } from "../onnx/index.js";
import { concat, gather, input } from "../ops/index.js";
import { type Executable, openRuntime } from "../runtime/index.js";
import { Conditions, hasRows } from "./conditions.js";

const BATCH = 3;
const TABLE = Float32Array.from({ length: 5 * 2 }, (_, i) => 10 * Math.floor(i / 2) + (i % 2));

/** Rows of a table by label, once [B 2], once doubled and followed by themselves [2B 2]: two blocks. */
const program = () => {
  const y = input("y", { dtype: "int64", shape: [BATCH] });
  const rows = gather(input("table", { dtype: "float32", shape: [5, 2] }), y);
  return lower("early", { "early.0": rows, "early.1": concat([rows.mul(2), rows], { axis: 0 }) });
};

test("whatever batches come, the tensors are those of their labels, and no batch of known labels is computed", async () => {
  const runtime = await openRuntime({ threads: 1 });
  const real = await runtime.compile(program());
  let runs = 0;
  const counting: Executable = {
    program: real.program,
    run: (...given) => {
      runs++;
      return real.run(...given);
    },
    release: () => real.release(),
  };
  const conditions = new Conditions(runtime, counting, BATCH);
  const table = runtime.tensor({ dtype: "float32", shape: [5, 2] }, TABLE);
  const y = runtime.tensor({ dtype: "int64", shape: [BATCH] });
  const row = (label: number): number[] => [...TABLE.subarray(2 * label, 2 * label + 2)];
  const check = async (labels: readonly number[], expectedRuns: number) => {
    await y.write(BigInt64Array.from(labels, BigInt));
    await conditions.prepare(labels.map(String), { y, table });
    expect([...(await conditions.tensors["early.0"]!.read())]).toEqual(labels.flatMap(row));
    const twice = [...labels.flatMap((label) => row(label).map((value) => 2 * value)), ...labels.flatMap(row)];
    expect([...(await conditions.tensors["early.1"]!.read())]).toEqual(twice);
    expect(runs).toBe(expectedRuns);
  };
  await check([0, 1, 2], 1);
  await check([0, 1, 2], 1); // what is held stays
  await check([2, 2, 0], 1); // composed
  await check([3, 0, 4], 2); // 3 and 4 are new
  await check([4, 3, 1], 2);
  await check([2, 2, 0], 2);
  conditions.clear();
  await check([2, 2, 0], 3); // other weights: computed again
  conditions.release();
  await runtime.close();
});

test("only float32 results with a row, or several, for each sample are kept so", () => {
  const type = (dtype: "float32" | "int64", ...shape: number[]) => ({ a: { dtype, shape } });
  expect(hasRows(type("float32", 6, 4), 3)).toBe(true);
  expect(hasRows(type("float32", 4, 4), 3)).toBe(false);
  expect(hasRows(type("float32"), 3)).toBe(false);
  expect(hasRows(type("int64", 3), 3)).toBe(false);
});
