import { isMainThread } from "node:worker_threads";

const SETTING = { name: "ORT_DISABLE_TELEMETRY", value: "1" };

const C_LIBRARY: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libc.so.6",
  darwin: "/usr/lib/libSystem.B.dylib",
};

/**
 * Keeps ONNX Runtime's telemetry from starting, whatever the environment said before. Its builds of 1.30 for Linux and macOS
 * send events to Microsoft, and write an identifier of the device, as soon as they start: before its API can be asked not to.
 * To be called before the library is loaded. On Windows, where events stay with the system unless a trace session collects
 * them, the API turns them off (environment.ts).
 */
export const disableTelemetry = async (): Promise<void> => {
  const { name, value } = SETTING;
  process.env[name] = value;
  const library = C_LIBRARY[process.platform];
  if (isMainThread || !library) return;
  // A worker's process.env is a copy, which libraries do not see.
  const koffi = await import("koffi").catch(() => undefined);
  koffi?.default.load(library).func("int setenv(const char *, const char *, int)")(name, value, 1);
};
