import { join } from "node:path";

/** The parts of a run folder. */
export const runPaths = (folder: string) => ({
  folder,
  /** The configuration with every default filled in. */
  config: join(folder, "config.yaml"),
  /** What the network is, as in a model folder's config.json. */
  network: join(folder, "network.json"),
  checkpoints: join(folder, "checkpoints"),
  samples: (step: number) => join(folder, "samples", `step-${String(step).padStart(8, "0")}.png`),
  model: join(folder, "model"),
});
