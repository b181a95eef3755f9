import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import koffi from "koffi";
import { oneLine } from "../check.js";

/** An opaque pointer. */
export type Pointer = bigint;

/** What the C API answers: null for success, else a status to be read and released. */
type Status = Pointer | null;

const out = "_Out_ void **";

/** ONNX Runtime's ORTCHAR_T: UTF-16 on Windows. */
const filePath = process.platform === "win32" ? "const char16_t *" : "const char *";

/** The entries of the `OrtApi` table in use: position (the table only grows, so positions are stable) and arguments. */
const FUNCTIONS = {
  GetErrorMessage: [2, "const char *", ["void *"]],
  DisableTelemetryEvents: [6, "void *", ["void *"]],
  CreateSessionFromArray: [8, "void *", ["void *", "void *", "size_t", "void *", out]],
  CreateSessionOptions: [10, "void *", [out]],
  EnableProfiling: [14, "void *", ["void *", filePath]],
  DisableMemPattern: [17, "void *", ["void *"]],
  SetSessionGraphOptimizationLevel: [23, "void *", ["void *", "int"]],
  SetIntraOpNumThreads: [24, "void *", ["void *", "int"]],
  CreateTensorWithDataAsOrtValue: [49, "void *", ["void *", "void *", "size_t", "int64_t *", "size_t", "int", out]],
  CreateCpuMemoryInfo: [69, "void *", ["int", "int", out]],
  ReleaseEnv: [92, "void", ["void *"]],
  ReleaseStatus: [93, "void", ["void *"]],
  ReleaseMemoryInfo: [94, "void", ["void *"]],
  ReleaseSession: [95, "void", ["void *"]],
  ReleaseValue: [96, "void", ["void *"]],
  ReleaseSessionOptions: [100, "void", ["void *"]],
  CreateEnvWithGlobalThreadPools: [119, "void *", ["int", "const char *", "void *", out]],
  DisablePerSessionThreads: [120, "void *", ["void *"]],
  CreateThreadingOptions: [121, "void *", [out]],
  ReleaseThreadingOptions: [122, "void", ["void *"]],
  AddSessionConfigEntry: [130, "void *", ["void *", "const char *", "const char *"]],
  RunWithBinding: [133, "void *", ["void *", "void *", "void *"]],
  GetAvailableProviders: [125, "void *", ["_Out_ void **", "_Out_ int *"]],
  ReleaseAvailableProviders: [126, "void *", ["void *", "int"]],
  CreateIoBinding: [134, "void *", ["void *", out]],
  ReleaseIoBinding: [135, "void", ["void *"]],
  BindInput: [136, "void *", ["void *", "const char *", "void *"]],
  BindOutput: [137, "void *", ["void *", "const char *", "void *"]],
  CreateAndRegisterAllocator: [144, "void *", ["void *", "void *", "void *"]],
  SetGlobalIntraOpNumThreads: [147, "void *", ["void *", "int"]],
  SetGlobalInterOpNumThreads: [148, "void *", ["void *", "int"]],
  SetGlobalSpinControl: [149, "void *", ["void *", "int"]],
  SetGlobalDenormalAsZero: [155, "void *", ["void *"]],
  CreateArenaCfg: [156, "void *", ["size_t", "int", "int", "int", out]],
  ReleaseArenaCfg: [157, "void", ["void *"]],
  AddExternalInitializers: [210, "void *", ["void *", "const char **", "void **", "size_t"]],
  UnregisterAllocator: [177, "void *", ["void *", "void *"]],
} as const satisfies Record<string, readonly [number, string, readonly string[]]>;

type FunctionName = keyof typeof FUNCTIONS;
type Native = ((...args: unknown[]) => unknown) & { async: (...args: unknown[]) => void };

/** koffi wants every prototype under a name of its own. */
let prototypes = 0;

/** Version of the table that is asked for: every ONNX Runtime from 1.20 on answers to it. */
const API_VERSION = 20;

const LIBRARY: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime.so.1",
  darwin: "libonnxruntime.1.dylib",
  win32: "onnxruntime.dll",
};

/** The shared library in vendor/onnxruntime-node. Throws when the platform has none, or a checkout was not built. */
export const findLibrary = (): string => {
  const root = dirname(dirname(createRequire(import.meta.url).resolve("#onnxruntime-node")));
  if (!existsSync(root)) throw new Error(`${root} is missing: npm run build fetches it`);
  const file = LIBRARY[process.platform];
  const path = file && join(root, "bin", "napi-v6", process.platform, process.arch, file);
  if (!path || !existsSync(path))
    throw new Error(`onnxruntime-node has no library for ${process.platform}-${process.arch}`);
  return path;
};

/** Held for good: koffi unloads a library that nothing refers to, and functions decoded from pointers do not count. */
const libraries = new Set<ReturnType<typeof koffi.load>>();

/** The C API of ONNX Runtime as typed calls: each checks its status and throws ONNX Runtime's own message. */
export class OrtApi {
  readonly version: string;
  private readonly functions: Record<FunctionName, Native>;

  constructor(path: string) {
    const library = koffi.load(path);
    libraries.add(library);
    const base = library.func("void *OrtGetApiBase()")() as Pointer;
    const entry = (at: Pointer, index: number, type: ReturnType<typeof koffi.proto>) =>
      koffi.decode(koffi.decode(at, 8 * index, "void *"), type) as Native;
    this.version = entry(base, 1, koffi.proto(`const char *OrtVersion_${prototypes++}()`))() as string;
    const api = entry(
      base,
      0,
      koffi.proto(`void *OrtGetApi_${prototypes++}(uint32_t version)`),
    )(API_VERSION) as Pointer;
    const bind = ([index, result, args]: readonly [number, string, readonly string[]], name: string) =>
      entry(api, index, koffi.proto(`Ort_${name}_${prototypes++}`, result, [...args]));
    this.functions = Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, signature]) => [name, bind(signature, name)]),
    ) as Record<FunctionName, Native>;
  }

  /** Calls a function that returns a status. */
  call(name: FunctionName, ...args: unknown[]): void {
    this.check(name, this.functions[name](...args) as Status);
  }

  /** Calls a function whose last argument receives a new object. */
  create(name: FunctionName, ...args: unknown[]): Pointer {
    const result: [Pointer | null] = [null];
    this.call(name, ...args, result);
    return result[0]!;
  }

  /** Calls a function that returns a status, on another thread. The caller keeps its arguments alive. */
  callAsync(name: FunctionName, ...args: unknown[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.functions[name].async(...args, (error: Error | null, status: Status) => {
        try {
          if (error) throw error;
          this.check(name, status);
          resolve();
        } catch (thrown) {
          reject(thrown as Error);
        }
      });
    });
  }

  /** Execution providers that this build of the library has, such as CPUExecutionProvider. */
  providers(): readonly string[] {
    const [list, count]: [[Pointer | null], [number]] = [[null], [0]];
    this.call("GetAvailableProviders", list, count);
    const names = Array.from({ length: count[0] }, (_, i) => koffi.decode(list[0]!, 8 * i, "const char *") as string);
    this.call("ReleaseAvailableProviders", list[0], count[0]);
    return names;
  }

  /** Calls a function that returns nothing. */
  release(name: FunctionName, pointer: Pointer): void {
    this.functions[name](pointer);
  }

  private check(name: FunctionName, status: Status): void {
    if (!status) return;
    const message = this.functions.GetErrorMessage(status) as string;
    this.functions.ReleaseStatus(status);
    throw new Error(`${name}: ${oneLine(message)}`);
  }
}
