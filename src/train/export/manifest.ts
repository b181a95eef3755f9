import type { TensorType } from "../../graph/dtype.js";
import { methodOf } from "../../methods/index.js";
import { looseOnGpu } from "../../onnx/index.js";
import type { ModelDescription } from "../model.js";
import type { ImageType } from "./graphs.js";
import type { Measured } from "./measure.js";
import type { ExportPrecision, Packed, Written } from "./pack.js";

type Axis = number | "N";
export type ManifestTensor = { readonly dtype: TensorType["dtype"]; readonly shape: readonly Axis[] };
type Tensors = Readonly<Record<string, ManifestTensor>>;

/** A file of operations. */
export type ManifestModel = {
  readonly inputs: Tensors;
  readonly outputs: Tensors;
  /** Operations that WebGPU would compute too loosely: run them on the CPU (`forceCpuNodeNames` of ONNX Runtime Web). */
  readonly looseOnGpu?: readonly string[];
};

/** `manifest.json` of an exported folder: all that a program needs to draw from it. */
export type Manifest = {
  readonly format: "soflow-export";
  readonly version: 1;
  /** What the model is, as in a model folder's config.json. */
  readonly model: ModelDescription;
  readonly precision: ExportPrecision;
  readonly images: ImageType;
  /** Each file of operations with what it reads and gives; N is the batch. */
  readonly models: Readonly<Record<string, ManifestModel>>;
  readonly files: readonly Written[];
  /** What was found when the model was run here; absent where it was not. */
  readonly measured?: Measured & { readonly bytes: number };
};
export type MeasuredManifest = Manifest & Required<Pick<Manifest, "measured">>;

const tensors = (types: Readonly<Record<string, TensorType>>, { model: { batch } }: Packed): Tensors =>
  Object.fromEntries(
    Object.entries(types).map(([name, { dtype, shape }]) => [
      name,
      { dtype, shape: shape.map((size, axis): Axis => (axis === 0 && batch?.values.includes(name) ? "N" : size)) },
    ]),
  );

const describe = (packed: Packed): ManifestModel => {
  const { inputs, outputs } = packed.model;
  const own = Object.fromEntries(Object.entries(inputs).filter(([name]) => !(name in packed.weights)));
  const loose = looseOnGpu(packed.model);
  const sides = { inputs: tensors(own, packed), outputs: tensors(outputs, packed) };
  return loose.length > 0 ? { ...sides, looseOnGpu: loose } : sides;
};

type Parts = Pick<Manifest, "precision" | "images" | "files"> & {
  readonly description: ModelDescription;
  readonly models: Readonly<Record<string, Packed>>;
  readonly measured: Measured | undefined;
};

export const manifestOf = ({ description, models, measured, files, ...rest }: Parts): Manifest => ({
  format: "soflow-export",
  version: 1,
  model: description,
  ...rest,
  models: Object.fromEntries(Object.entries(models).map(([name, packed]) => [name, describe(packed)])),
  files,
  ...(measured && { measured: { ...measured, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) } }),
});

/** The method that trained the model, by name. */
export const methodName = ({ model }: Manifest): string => methodOf(model.method.kind).name;
