import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { lower } from "../../onnx/index.js";
import { input, mul } from "../../ops/index.js";
import { evaluate, openRuntime } from "../index.js";

// koffi unloads a library when its object is collected: calls through the API table then jump into unmapped memory.
test("the library stays loaded when the garbage collector runs", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const runtime = await openRuntime({ kind: "native", threads: 1 });
  const x = input("x", { dtype: "float32", shape: [3] });
  const program = lower("double", { y: mul(x, 2) });
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalizers run between tasks
    const { y } = await evaluate(runtime, program, { x: Float32Array.of(1, 2, 3) });
    expect(Array.from(y as Float32Array)).toEqual([2, 4, 6]);
  }
  await runtime.close();
});
