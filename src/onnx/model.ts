import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HostArray, TensorType } from "../graph/dtype.js";
import type { OnnxAttribute, OnnxNodeOptions } from "../graph/op.js";
import { onnxType } from "../ops/cast.js";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./onnx_pb.js";

const OPSET = 21n;
const IR_VERSION = 10n;

export type OnnxNode = OnnxNodeOptions & {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of an operation that GPUs of the web may compute too loosely. */
  readonly looseOnGpu?: boolean;
};
export type OnnxConstant = { readonly name: string; readonly type: TensorType; readonly data: HostArray };
export type OnnxModel = {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  /** Initializers whose values are given beside the model: in memory, or at a place in a file. */
  readonly fixed?: Readonly<Record<string, TensorType & { readonly place?: Place }>>;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly outputs: Readonly<Record<string, TensorType>>;
  /** Inputs and outputs whose first axis has any size: its name. */
  readonly batch?: { readonly name: string; readonly values: readonly string[] };
};

/** Where a file beside the model holds an initializer. */
export type Place = { readonly location: string; readonly offset: number; readonly length: number };

const attribute = (name: string, value: OnnxAttribute): AttributeProto => {
  const Type = AttributeProto_AttributeType;
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(value) });
  if (typeof value === "string")
    return create(AttributeProtoSchema, { name, type: Type.STRING, s: new TextEncoder().encode(value) });
  if ("float" in value) return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: Type.INTS, ints: value.map(BigInt) });
};

const valueInfo = (name: string, { dtype, shape }: TensorType, batch: OnnxModel["batch"]): ValueInfoProto => {
  const dim = shape.map((size, axis) =>
    axis === 0 && batch?.values.includes(name)
      ? create(TensorShapeProto_DimensionSchema, { value: { case: "dimParam", value: batch.name } })
      : create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(size) } }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: onnxType[dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } }),
  });
};

const tensorOf = (name: string, { dtype, shape }: TensorType) => ({
  name,
  dataType: onnxType[dtype],
  dims: shape.map(BigInt),
});

/** ONNX requires a place for values that are elsewhere; here it says that they are given in memory. */
const ELSEWHERE = create(StringStringEntryProtoSchema, { key: "location", value: "memory" });

const placeEntries = (place: Place | undefined) =>
  place
    ? Object.entries(place).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value: String(value) }))
    : [ELSEWHERE];

const rawBytes = (data: HostArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Serialises a model: IR version 10, opset 21, and opset 1 of ONNX Runtime's own domain where it is used. */
export const encodeModel = ({ name, nodes, constants, fixed = {}, inputs, outputs, batch }: OnnxModel): Uint8Array => {
  const graph = create(GraphProtoSchema, {
    name,
    node: nodes.map(({ name, type, inputs, outputs, domain = "", attributes = {} }) =>
      create(NodeProtoSchema, {
        name,
        opType: type,
        domain,
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
      }),
    ),
    initializer: [
      ...constants.map(({ name, type, data }) =>
        create(TensorProtoSchema, { ...tensorOf(name, type), rawData: rawBytes(data) }),
      ),
      ...Object.entries(fixed).map(([name, type]) =>
        create(TensorProtoSchema, {
          ...tensorOf(name, type),
          dataLocation: TensorProto_DataLocation.EXTERNAL,
          externalData: placeEntries(type.place),
        }),
      ),
    ],
    input: Object.entries(inputs).map(([key, type]) => valueInfo(key, type, batch)),
    output: Object.entries(outputs).map(([key, type]) => valueInfo(key, type, batch)),
  });
  const domains = new Set(nodes.map(({ domain }) => domain).filter((domain) => domain !== undefined));
  const opsetImport = [
    create(OperatorSetIdProtoSchema, { domain: "", version: OPSET }),
    ...[...domains].map((domain) => create(OperatorSetIdProtoSchema, { domain, version: 1n })),
  ];
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: IR_VERSION, producerName: "soflow", opsetImport, graph }),
  );
};

/** The same model with the values of its fixed initializers inside it. */
export const withFixed = (bytes: Uint8Array, fixed: Readonly<Record<string, { data: HostArray }>>): Uint8Array => {
  const model = fromBinary(ModelProtoSchema, bytes);
  for (const tensor of model.graph?.initializer ?? []) {
    const value = fixed[tensor.name];
    if (!value) continue;
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
    tensor.externalData = [];
    tensor.rawData = rawBytes(value.data);
  }
  return toBinary(ModelProtoSchema, model);
};
