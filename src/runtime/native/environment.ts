import { messageOf } from "../../errors.js";
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
  /** Whether sessions use its threads; else each has its own. */
  readonly sharesThreads: boolean;
  release(): void;
};

let open: { readonly environment: Environment; users: number } | null = null;

/**
 * The environment of this process, made when first asked for. ONNX Runtime keeps a single one, and silently ignores
 * the settings of a second; so another number of threads while one is open is an error, and
 * `spin` is that of the first.
 */
export const openEnvironment = (api: OrtApi, threads: number, spin: boolean): Environment => {
  if (open && open.environment.threads !== threads)
    throw new Error(
      `a runtime with ${open.environment.threads} threads is open in this process; close it before opening one with ${threads}`,
    );
  open ??= { environment: createEnvironment(api, threads, spin), users: 0 };
  open.users++;
  return open.environment;
};

const createEnvironment = (api: OrtApi, threads: number, spin: boolean): Environment => {
  const pointer = createWithThreads(api, threads, spin);
  const arena = api.create("CreateCpuMemoryInfo", ARENA_ALLOCATOR, DEFAULT_MEMORY);
  const memory = api.create("CreateCpuMemoryInfo", DEVICE_ALLOCATOR, DEFAULT_MEMORY);
  shareArena(api, pointer, arena);
  const release = () => {
    if (!open || --open.users > 0) return;
    open = null;
    api.call("UnregisterAllocator", pointer, arena); // the environment itself lives on where onnxruntime-node uses it
    for (const info of [arena, memory]) api.release("ReleaseMemoryInfo", info);
    api.release("ReleaseEnv", pointer);
  };
  return { pointer, memory, threads, sharesThreads: hasSharedThreads(api, pointer), release };
};

/** One pool of threads: two programs that alternate or run at once do not fight over the cores. */
const createWithThreads = (api: OrtApi, threads: number, spin: boolean): Pointer => {
  const options = api.create("CreateThreadingOptions");
  try {
    api.call("SetGlobalIntraOpNumThreads", options, threads);
    api.call("SetGlobalInterOpNumThreads", options, 1);
    api.call("SetGlobalSpinControl", options, Number(spin));
    api.call("SetGlobalDenormalAsZero", options);
    const environment = api.create("CreateEnvWithGlobalThreadPools", LOG_FATAL_ONLY, "soflow", options);
    api.call("DisableTelemetryEvents", environment); // for Windows; elsewhere telemetry.ts kept it from starting
    return environment;
  } finally {
    api.release("ReleaseThreadingOptions", options);
  }
};

/**
 * Whether sessions can share the environment's threads: not where onnxruntime-node made it first in this process.
 * Asked with an empty model, which is always refused: for itself, or before that for the missing threads.
 */
const hasSharedThreads = (api: OrtApi, environment: Pointer): boolean => {
  const options = api.create("CreateSessionOptions");
  try {
    api.call("DisablePerSessionThreads", options);
    api.create("CreateSessionFromArray", environment, new Uint8Array(1), 0, options);
    return true;
  } catch (thrown) {
    return !messageOf(thrown).includes("GlobalThreadPools");
  } finally {
    api.release("ReleaseSessionOptions", options);
  }
};

/** One arena: memory is that of the largest program in use, not the sum over programs. */
const shareArena = (api: OrtApi, environment: Pointer, memory: Pointer): void => {
  const arena = api.create("CreateArenaCfg", 0, GROW_BY_POWERS_OF_TWO, BY_DEFAULT, BY_DEFAULT);
  try {
    api.call("CreateAndRegisterAllocator", environment, memory, arena);
  } finally {
    api.release("ReleaseArenaCfg", arena);
  }
};
