import type { HostArray } from "../../graph/dtype.js";
import { lower } from "../../onnx/index.js";
import { key } from "../../random/random.js";
import { evaluate, type Program, quantile, type Runtime } from "../../runtime/index.js";
import { IMAGES, type ImageType, LABEL, NOISE, type Weights } from "./graphs.js";
import { type Build, type ExportPrecision, type Packed, programOf } from "./pack.js";

/** What was found when the exported model was run. */
export type Measured = {
  /** ‖exported − trained‖ / ‖trained‖ over the images of two batches. */
  readonly distance: number;
  /** Median milliseconds for one image. */
  readonly milliseconds: number;
  readonly threads: number;
  readonly runtime: string;
};

/** Batches that the model is held against the trained one in: none of them is what it was built from. */
const BATCHES = [1, 4];
const ROUNDS = 5;
/** The largest distance that arithmetic alone explains. */
const MOST = 1e-4;

/** Noise, and the labels in turn. */
const feedsOf = ({ inputs }: Program, labels: number): Record<string, HostArray> => {
  const shape = inputs[NOISE]!.shape;
  const noise = key(0)
    .fold("export")
    .normal(shape.reduce((n, d) => n * d, 1));
  const label = BigInt64Array.from({ length: shape[0]! }, (_, i) => BigInt(i % Math.max(1, labels)));
  return { [NOISE]: noise, ...(LABEL in inputs && { [LABEL]: label }) };
};

const time = async (
  runtime: Runtime,
  program: Program,
  feeds: Readonly<Record<string, HostArray>>,
): Promise<number> => {
  const executable = await runtime.compile(program);
  const tensorsOf = (types: Program["inputs"], values: Readonly<Record<string, HostArray>> = {}) =>
    Object.fromEntries(Object.entries(types).map(([name, type]) => [name, runtime.tensor(type, values[name])]));
  const [inputs, outputs] = [tensorsOf(program.inputs, feeds), tensorsOf(program.outputs)];
  const times: number[] = [];
  for (let k = 0; k <= ROUNDS; k++) {
    const start = performance.now();
    await executable.run(inputs, outputs);
    if (k > 0) times.push(performance.now() - start);
  }
  executable.release();
  for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose();
  return quantile(times, 0.5);
};

type Options = {
  readonly generator: Build;
  readonly packed: Packed;
  readonly weights: Weights;
  readonly precision: ExportPrecision;
  readonly images: ImageType;
  /** Number of labels. */
  readonly labels: number;
};

/** Runs the exported generator beside the trained one. Throws where a float32 export does not draw the same. */
export const measure = async (
  runtime: Runtime,
  { generator, packed, weights, precision, images, labels }: Options,
): Promise<Measured> => {
  let [difference, norm] = [0, 0];
  for (const batch of BATCHES) {
    const program = programOf(packed, batch);
    const feeds = feedsOf(program, labels);
    const wanted = (await evaluate(runtime, lower("trained", generator(batch), { given: weights }), feeds))[IMAGES]!;
    const got = (await evaluate(runtime, program, feeds))[IMAGES]!;
    for (let i = 0; i < wanted.length; i++) {
      difference += (Number(got[i]) - Number(wanted[i])) ** 2;
      norm += Number(wanted[i]) ** 2;
    }
  }
  const distance = Math.sqrt(difference / norm);
  if (precision === "float32" && images === "float32" && !(distance <= MOST))
    throw new Error(`the exported model differs from the trained one by ${distance} of its images' norm`);
  const one = programOf(packed, 1);
  return {
    distance,
    milliseconds: await time(runtime, one, feedsOf(one, labels)),
    threads: runtime.threads,
    runtime: `ONNX Runtime ${runtime.version}, CPU`,
  };
};
