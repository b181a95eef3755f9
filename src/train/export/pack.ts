import { createHash } from "node:crypto";
import { join } from "node:path";
import type { HostArray, TensorType } from "../../graph/dtype.js";
import type { Tensor } from "../../graph/tensor.js";
import { anyBatch, encodeModel, lowerStandard, type OnnxModel, type Place, quantise } from "../../onnx/index.js";
import { onnxType } from "../../ops/cast.js";
import type { Program } from "../../runtime/index.js";
import { writeAtomically } from "../files.js";
import type { Weights } from "./graphs.js";
import { toHalf } from "./half.js";

export const PRECISIONS = ["float32", "float16", "int8", "int4"] as const;
export type ExportPrecision = (typeof PRECISIONS)[number];

/** Graphs for one batch size, by what they compute. */
export type Build = (batch: number) => Record<string, Tensor>;

/** A model for batches of any size, and the weights it reads. */
export type Packed = { readonly model: OnnxModel; readonly weights: Weights };

const BITS = { int8: 8, int4: 4 } as const;
/** Smaller weights stay float32: they take no room, and rounding would be felt most there. */
const SMALLEST = 1024;

/** Weights of 16 bits under another name, and what brings them back to 32 when the model is loaded. */
const halved = ({ model, weights }: Packed): Packed => {
  const isLarge = (name: string): boolean => weights[name] instanceof Float32Array && weights[name].length >= SMALLEST;
  const names = Object.keys(weights).filter((name) => name in model.inputs && isLarge(name));
  const stored = (name: string): string => `${name}.float16`;
  const inputs: Record<string, TensorType> = { ...model.inputs };
  const next: Record<string, HostArray> = { ...weights };
  for (const name of names) {
    inputs[stored(name)] = { ...inputs[name]!, dtype: "float16" };
    next[stored(name)] = toHalf(next[name] as Float32Array);
    delete inputs[name];
    delete next[name];
  }
  const casts = names.map((name) => ({
    name: `${name}.cast`,
    type: "Cast",
    inputs: [stored(name)],
    outputs: [name],
    attributes: { to: onnxType.float32 },
  }));
  return { model: { ...model, inputs, nodes: [...casts, ...model.nodes] }, weights: next };
};

/** Lowers graphs to a model for any batch, in ONNX's own operations (int8 and int4 also use ONNX Runtime's MatMulNBits). */
export const packModel = (
  name: string,
  build: Build,
  weights: Weights,
  precision: ExportPrecision,
  source: string,
): Packed => {
  let given: Weights = weights;
  const model = anyBatch((batch) => {
    const outputs = build(batch);
    if (precision === "float32" || precision === "float16") return lowerStandard(name, outputs);
    const quantised = quantise(outputs, weights, BITS[precision]);
    given = quantised.given;
    return lowerStandard(name, quantised.outputs);
  }, source);
  const packed = { model, weights: given };
  return precision === "float16" ? halved(packed) : packed;
};

/** The weights that a model reads, in their order. */
export const weightsOf = ({ model, weights }: Packed): readonly string[] =>
  Object.keys(model.inputs).filter((name) => name in weights);

const bytesOf = (data: HostArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const initializers = <T>(packed: Packed, place: (name: string) => T): OnnxModel => {
  const names = weightsOf(packed);
  const fixed = Object.fromEntries(names.map((name) => [name, { ...packed.model.inputs[name]!, ...place(name) }]));
  const inputs = Object.fromEntries(Object.entries(packed.model.inputs).filter(([name]) => !(name in fixed)));
  return { ...packed.model, fixed, inputs };
};

/** The bytes of a model whose weights lie in a file. */
export const encodeWithPlaces = (packed: Packed, places: ReadonlyMap<string, Place>): Uint8Array =>
  encodeModel(initializers(packed, (name) => ({ place: places.get(name)! })));

/** The same model as a program for one batch size, with its weights in memory: to be run here. */
export const programOf = (packed: Packed, batch: number): Program => {
  const model = initializers(packed, () => ({}));
  const sized = (types: Readonly<Record<string, TensorType>>) =>
    Object.fromEntries(
      Object.entries(types).map(([name, { dtype, shape }]) => [
        name,
        { dtype, shape: model.batch?.values.includes(name) ? [batch, ...shape.slice(1)] : shape },
      ]),
    );
  const fixed = Object.fromEntries(
    Object.entries(model.fixed ?? {}).map(([name, { dtype, shape }]) => [
      name,
      { type: { dtype, shape }, data: packed.weights[name]! },
    ]),
  );
  return {
    name: model.name,
    bytes: encodeModel(model),
    fixed,
    inputs: sized(model.inputs),
    outputs: sized(model.outputs),
  };
};

/** Runtimes map files by pages; tensors begin at multiples of this. */
const ALIGNMENT = 64;

export type Written = { readonly name: string; readonly bytes: number; readonly sha256: string };

/** Writes the weights of several models into one file, each once, and says where they are. */
export const writeWeightsFile = async (
  folder: string,
  location: string,
  models: readonly Packed[],
  signal?: AbortSignal,
): Promise<{ places: Map<string, Place>; file: Written }> => {
  const places = new Map<string, Place>();
  const hash = createHash("sha256");
  let at = 0;
  await writeAtomically(join(folder, location), async (write) => {
    const put = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await write(bytes);
      at += bytes.length;
    };
    for (const packed of models)
      for (const name of weightsOf(packed).filter((weight) => !places.has(weight))) {
        signal?.throwIfAborted();
        await put(new Uint8Array((ALIGNMENT - (at % ALIGNMENT)) % ALIGNMENT));
        const bytes = bytesOf(packed.weights[name]!);
        places.set(name, { location, offset: at, length: bytes.length });
        await put(bytes);
      }
  });
  return { places, file: { name: location, bytes: at, sha256: hash.digest("hex") } };
};
