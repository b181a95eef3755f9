import { parseConfig } from "../../dist/train/config/index.js";

/** The training configuration of a job: SoFlow as published for ImageNet, unless the job names another objective. */
export const trainingConfig = ({ network, batch, guidance, objective }) => {
  const { patch, width, depth, heads } = network;
  const config = {
    data: { kind: "glyphs" },
    model: { patch, width, depth, heads },
    objective: objective ?? { kind: "soflow", ...(guidance && { guidance }) },
    optimizer: { kind: "adamw", learningRate: 1e-4, beta2: 0.99, clipNorm: null },
    train: { batch, steps: 1000 },
  };
  return parseConfig(JSON.stringify(config), "bench.yaml"); // JSON is YAML
};
