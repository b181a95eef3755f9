import { methodOf } from "../../methods/index.js";
import { type Manifest, methodName } from "./manifest.js";

const noiseShape = ({ model: { network } }: Manifest): string =>
  `${network.channels}, ${network.imageSize}, ${network.imageSize}`;
const isLabelled = ({ model }: Manifest): boolean => model.classes.length > 0;
const shapeOf = ({ models }: Manifest): string => models["model.onnx"]!.outputs.images!.shape.join(" ");

/** Ten lines that draw eight images with Python's onnxruntime. */
export const examplePy = (manifest: Manifest): string => `# pip install onnxruntime numpy
from pathlib import Path
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(Path(__file__).parent / "model.onnx")
rng = np.random.default_rng(0)
feeds = {"noise": rng.standard_normal((8, ${noiseShape(manifest)}), dtype=np.float32)}
${isLabelled(manifest) ? `feeds["label"] = np.arange(8, dtype=np.int64) % ${manifest.model.classes.length}\n` : ""}(images,) = session.run(["images"], feeds)
print(images.shape, images.dtype, images.min(), images.max())
`;

/** The same in JavaScript with onnxruntime-node. */
export const exampleJs = (manifest: Manifest): string => {
  const { channels, imageSize } = manifest.model.network;
  const size = channels * imageSize * imageSize;
  const label = `feeds.label = new Tensor("int64", BigInt64Array.from({ length: 8 }, (_, i) => BigInt(i % ${manifest.model.classes.length})), [8]);\n`;
  return `// npm install onnxruntime-node
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from ${JSON.stringify("onnxruntime-node")};

const session = await InferenceSession.create(fileURLToPath(new URL("model.onnx", import.meta.url)));
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const feeds = { noise: new Tensor("float32", Float32Array.from({ length: ${8 * size} }, normal), [8, ${noiseShape(manifest)}]) };
${isLabelled(manifest) ? label : ""}const { images } = await session.run(feeds);
console.log(images.dims, images.type);
`;
};

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

const measurements = ({ precision, measured }: Manifest): string =>
  measured
    ? `
| precision | size | one image | distance to the trained model |
|---|--:|--:|--:|
| ${precision} | ${megabytes(measured.bytes)} | ${measured.milliseconds.toFixed(1)} ms | ${measured.distance.toExponential(1)} of the images' norm |

Measured when it was exported: ${measured.runtime}, ${measured.threads} threads.
`
    : "";

/** The model card of the folder. */
export const readme = (manifest: Manifest): string => {
  const { model, precision, images } = manifest;
  const method = methodOf(model.method.kind);
  const steps = "solution.onnx" in manifest.models;
  return `---
library_name: soflow
tags: [${method.tag}, onnx]
---
# A model trained by ${methodName(manifest)}, exported to ONNX

${method.paper}. One network evaluation makes an image of noise.

| file | reads | gives |
|---|---|---|
| \`model.onnx\` | noise [N ${noiseShape(manifest).replaceAll(",", "")}] from N(0, 1)${isLabelled(manifest) ? ", label int64 [N]" : ""} | images ${images} [${shapeOf(manifest)}]${images === "uint8" ? "" : ", in [−1, 1]"} |
${steps ? `| \`solution.onnx\` | x, t and s [N] (1 is noise, 0 is data)${isLabelled(manifest) ? ", label" : ""} | f(x, t, s): for several steps, and to edit images |\n` : ""}| \`model.onnx_data\` | | the weights of both |

\`python example.py\` and \`node example.mjs\` draw eight images. \`manifest.json\` says all of this to programs.
${isLabelled(manifest) ? `\nLabels: ${model.classes.map((name, i) => `${i} = ${name}`).join(", ")}.\n` : ""}${measurements(manifest)}${precision.startsWith("int") ? "\nLarge products use MatMulNBits, an operation of ONNX Runtime alone.\n" : ""}`;
};
