import type { OrtApi, Pointer } from "./api.js";

/** Every status is thrown with its message, so the log has nothing to add. */
const LOG_FATAL_ONLY = 4;
const DEVICE_ALLOCATOR = 0;
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;
const GROW_BY_POWERS_OF_TWO = 0;
const BY_DEFAULT = -1;

/** What all sessions share: one pool of threads, one arena for activations. */
export type Environment = {
  readonly pointer: Pointer;
  /** Describes host memory that is ours. */
  readonly memory: Pointer;
  readonly threads: number;
  release(): void;
};

let open: { readonly environment: Environment; users: number } | null = null;

/**
 * The environment of this process, made when first asked for. ONNX Runtime keeps a single one, and silently ignores
 * the settings of a second; so asking for another number of threads while one is open is an error.
 */
export const openEnvironment = (api: OrtApi, threads: number): Environment => {
  if (open && open.environment.threads !== threads)
    throw new Error(
      `a runtime with ${open.environment.threads} threads is open in this process; close it before opening one with ${threads}`,
    );
  open ??= { environment: createEnvironment(api, threads), users: 0 };
  open.users++;
  return open.environment;
};

const createEnvironment = (api: OrtApi, threads: number): Environment => {
  const pointer = createWithThreads(api, threads);
  shareArena(api, pointer);
  const memory = api.create("CreateCpuMemoryInfo", DEVICE_ALLOCATOR, DEFAULT_MEMORY);
  const release = () => {
    if (!open || --open.users > 0) return;
    open = null;
    api.release("ReleaseMemoryInfo", memory);
    api.release("ReleaseEnv", pointer);
  };
  return { pointer, memory, threads, release };
};

/** One pool of threads: two programs that alternate or run at once do not fight over the cores. */
const createWithThreads = (api: OrtApi, threads: number): Pointer => {
  const options = api.create("CreateThreadingOptions");
  try {
    api.call("SetGlobalIntraOpNumThreads", options, threads);
    api.call("SetGlobalInterOpNumThreads", options, 1);
    api.call("SetGlobalDenormalAsZero", options);
    return api.create("CreateEnvWithGlobalThreadPools", LOG_FATAL_ONLY, "soflow", options);
  } finally {
    api.release("ReleaseThreadingOptions", options);
  }
};

/** One arena: memory is that of the largest program in use, not the sum over programs. */
const shareArena = (api: OrtApi, environment: Pointer): void => {
  const memory = api.create("CreateCpuMemoryInfo", ARENA_ALLOCATOR, DEFAULT_MEMORY);
  const arena = api.create("CreateArenaCfg", 0, GROW_BY_POWERS_OF_TWO, BY_DEFAULT, BY_DEFAULT);
  api.call("CreateAndRegisterAllocator", environment, memory, arena);
  api.release("ReleaseArenaCfg", arena);
  api.release("ReleaseMemoryInfo", memory);
};
