import type { Program } from "../runtime.js";
import type { OrtApi, Pointer } from "./api.js";
import type { Environment } from "./environment.js";
import type { NativeTensor } from "./tensor.js";

const OPTIMISE_ALL = 99;

/** Settings of every session; the keys are ONNX Runtime's (onnxruntime_session_options_config_keys.h). */
const SESSION_CONFIG: Readonly<Record<string, string>> = {
  "session.set_denormal_as_zero": "1",
  "session.use_env_allocators": "1", // the environment's arena
};

/**
 * Compiles a program on another thread; `fixed` are its fixed tensors by name, which must outlive the session. Throws
 * ONNX Runtime's message under the program's name.
 */
export const createSession = async (
  api: OrtApi,
  environment: Environment,
  { name, bytes }: Program,
  fixed: ReadonlyMap<string, NativeTensor>,
  profile: string | undefined,
): Promise<Pointer> => {
  const options = sessionOptions(api, environment, profile);
  const [names, values] = [[...fixed.keys()], [...fixed.values()].map(({ pointer }) => pointer)];
  if (names.length > 0) api.call("AddExternalInitializers", options, names, values, names.length);
  const session: [Pointer | null] = [null];
  try {
    await api.callAsync("CreateSessionFromArray", environment.pointer, bytes, bytes.byteLength, options, session);
    return session[0]!;
  } catch (thrown) {
    throw new Error(`program ${name}, ${bytes.byteLength} bytes: ${(thrown as Error).message}`);
  } finally {
    api.release("ReleaseSessionOptions", options);
  }
};

/**
 * Memory patterns are off: from the second run on they take one block of the peak size out of the arena, which already
 * holds as much in pieces from the first. The gradients of a DiT (width 384, depth 12, batch 8) then took 2.0 GB of
 * activations against 1.0 GB without, and were no faster. Without the arena they took 1.3 times as long.
 */
const sessionOptions = (api: OrtApi, environment: Environment, profile: string | undefined): Pointer => {
  const options = api.create("CreateSessionOptions");
  if (environment.sharesThreads) api.call("DisablePerSessionThreads", options);
  else api.call("SetIntraOpNumThreads", options, environment.threads);
  api.call("DisableMemPattern", options);
  api.call("SetSessionGraphOptimizationLevel", options, OPTIMISE_ALL);
  for (const [key, value] of Object.entries(SESSION_CONFIG)) api.call("AddSessionConfigEntry", options, key, value);
  if (profile) api.call("EnableProfiling", options, profile);
  return options;
};
