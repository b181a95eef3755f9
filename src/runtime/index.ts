import { readFileSync } from "node:fs";
import { exhaustive, messageOf } from "../errors.js";
import { disableTelemetry } from "./native/telemetry.js";
import type { Runtime, RuntimeOptions } from "./runtime.js";

export { evaluate } from "./evaluate.js";
export { matmulRate, openRateMeter, quantile } from "./matmulRate.js";
export type { DeviceTensor, Executable, HostTensor, Program, Runtime, RuntimeOptions, Tensors } from "./runtime.js";

/** `native`: ONNX Runtime's C API. `portable`: onnxruntime-node in a worker thread, for machines where that cannot be. */
export type RuntimeKind = "native" | "portable";

/**
 * Opens the runtime of this machine: the kind asked for; by default the native one, or the portable one with the
 * `fallbackReason` where that cannot be opened.
 */
export const openRuntime = async ({
  kind,
  ...options
}: RuntimeOptions & { kind?: RuntimeKind } = {}): Promise<Runtime> => {
  await disableTelemetry();
  switch (kind) {
    case "native":
      return openNative(options);
    case "portable":
      return openPortable(options);
    case undefined:
      return openNative(options).catch((thrown) => openPortable(options, messageOf(thrown)));
    default:
      return exhaustive(kind);
  }
};

const openNative = async (options: RuntimeOptions): Promise<Runtime> => {
  const { NativeRuntime } = await import("./native/runtime.js");
  return new NativeRuntime(options);
};

const openPortable = async (options: RuntimeOptions, fallbackReason?: string): Promise<Runtime> => {
  const portable = await import("./portable/runtime.js");
  return portable.openPortable(options, fallbackReason);
};

/** Largest memory that was resident for this process so far, in bytes. */
export const peakMemory = (): number => {
  // Linux starts a child's ru_maxrss at its parent's, so the process's own mark is read where there is one.
  const status = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return (kib === undefined ? process.resourceUsage().maxRSS : Number(kib)) * 1024;
};
