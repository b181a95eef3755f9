import type { HostArray } from "../graph/dtype.js";
import type { Program } from "../onnx/program.js";
import type { Runtime } from "./runtime.js";

/** Compiles a program, runs it once on host arrays and gives its outputs as host arrays. */
export const evaluate = async (
  runtime: Runtime,
  program: Program,
  feeds: Readonly<Record<string, HostArray>>,
): Promise<Record<string, HostArray>> => {
  const executable = await runtime.compile(program);
  const inputs = Object.fromEntries(
    Object.entries(program.inputs).map(([name, type]) => [name, runtime.tensor(type, feeds[name])]),
  );
  const outputs = Object.fromEntries(
    Object.entries(program.outputs).map(([name, type]) => [name, runtime.tensor(type)]),
  );
  await executable.run(inputs, outputs);
  const results: Record<string, HostArray> = {};
  for (const [name, tensor] of Object.entries(outputs)) results[name] = await tensor.read();
  for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose();
  executable.release();
  return results;
};
