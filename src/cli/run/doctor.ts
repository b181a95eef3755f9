import type { Engine } from "../doctor.js";

/** The engine as doctor examines it. */
export const engine: Engine = {
  openRuntime: async () => {
    const runtime = await (await import("../../runtime/index.js")).openRuntime();
    return {
      runtime,
      providers: runtime.providers,
      ...(runtime.fallbackReason !== undefined && { fallback: runtime.fallbackReason }),
    };
  },
  matmulRate: async (runtime) => (await import("../../runtime/index.js")).matmulRate(runtime),
};
