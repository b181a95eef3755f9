import type { Engine } from "../doctor.js";

/** The engine as doctor examines it. */
export const engine: Engine = {
  openRuntime: async () => ({ runtime: await (await import("../../runtime/index.js")).openRuntime() }),
  matmulRate: async (runtime) => (await import("../../train/matmulRate.js")).matmulRate(runtime),
};
