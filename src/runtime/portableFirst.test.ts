import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { encodeModel } from "../onnx/model.js";
import { evaluate, openRuntime } from "./index.js";
import { workerUrl } from "./workerUrl.js";

// In a file, and so a process, of its own: ONNX Runtime keeps one environment per process.
const built = existsSync(workerUrl(import.meta.url, "./portable/worker.js"));

test.skipIf(!built)("the native runtime also opens where onnxruntime-node came first", async () => {
  const x = { dtype: "float32", shape: [2] } as const;
  const negate = { name: "y", type: "Neg", inputs: ["x"], outputs: ["y"] };
  const model = { name: "negate", nodes: [negate], constants: [], inputs: { x }, outputs: { y: x } };
  const program = { ...model, bytes: encodeModel(model) };
  for (const kind of ["portable", "native", "portable", "native"] as const) {
    const runtime = await openRuntime({ kind, threads: 2 });
    expect(await evaluate(runtime, program, { x: Float32Array.of(1, 2) })).toEqual({ y: Float32Array.of(-1, -2) });
    if (kind === "native") await runtime.close(); // the portable ones stay open
  }
});
