import type { Runtime, RuntimeOptions } from "./runtime.js";

export { evaluate } from "./evaluate.js";
export type { DeviceTensor, Executable, Program, Runtime, RuntimeOptions } from "./runtime.js";

/** Opens the runtime of this machine. */
export const openRuntime = async (options: RuntimeOptions = {}): Promise<Runtime> => {
  const { NativeRuntime } = await import("./native/runtime.js");
  return new NativeRuntime(options);
};
