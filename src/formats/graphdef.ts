import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { messageOf, UserError } from "../errors.js";
import { shown } from "./randomAccess.js";

/** A constant of a frozen TensorFlow graph: float32, row-major. */
export type GraphConstant = { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> };

/** Numbers of the fields that are read, from TensorFlow's graph.proto, node_def.proto, attr_value.proto and tensor.proto. */
const GRAPH_NODE = 1;
const NODE = { name: 1, op: 2, attribute: 5 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const ATTRIBUTE_TENSOR = 8;
const TENSOR = { dtype: 1, shape: 2, content: 4, floats: 5 } as const;
const SHAPE_DIMENSION = 2;
const DIMENSION_SIZE = 1;
const FLOAT = 1;

/** Numbers of all constants that are stored once and stand for many: a short file could ask for any memory. */
const MOST_REPEATED = 2 ** 22;
const MOST_AXES = 16;

/** Visits the fields of a message; `visit` reads the field and says so, else it is skipped. */
const fields = (bytes: Uint8Array, visit: (field: number, type: WireType, reader: BinaryReader) => boolean): void => {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!visit(field, type, reader)) reader.skip(type, field);
  }
};

const shapeOf = (bytes: Uint8Array): number[] => {
  const shape: number[] = [];
  fields(bytes, (field, _, reader) => {
    if (field !== SHAPE_DIMENSION) return false;
    fields(reader.bytes(), (inner, __, dimension) => {
      if (inner === DIMENSION_SIZE) shape.push(Number(dimension.int64()));
      return inner === DIMENSION_SIZE;
    });
    return true;
  });
  return shape;
};

/** Counts the numbers that stand for many, and throws when they are too many. */
type Repeat = (count: number) => void;

const repeats = (): Repeat => {
  let all = 0;
  return (count) => {
    all += count;
    if (all > MOST_REPEATED)
      throw new Error(`its constants of one value stand for ${all} numbers; at most ${MOST_REPEATED} are read`);
  };
};

/** A float tensor; undefined for one of another type. */
const tensorOf = (bytes: Uint8Array, repeat: Repeat): GraphConstant | undefined => {
  let [dtype, shape, content] = [0, [] as number[], undefined as Uint8Array | undefined];
  const floats: number[] = [];
  fields(bytes, (field, type, reader) => {
    if (field === TENSOR.dtype) dtype = reader.int32();
    else if (field === TENSOR.shape) shape = shapeOf(reader.bytes());
    else if (field === TENSOR.content) content = reader.bytes();
    else if (field === TENSOR.floats && type === WireType.Bit32) floats.push(reader.float());
    else if (field === TENSOR.floats)
      for (const end = reader.uint32() + reader.pos; reader.pos < end; ) floats.push(reader.float());
    else return false;
    return true;
  });
  if (dtype !== FLOAT) return undefined;
  if (shape.length > MOST_AXES) throw new Error(`a tensor has ${shape.length} axes; at most ${MOST_AXES} are read`);
  const size = shape.reduce((n, d) => n * d, 1);
  const data = content ? new Float32Array(new Uint8Array(content).buffer) : Float32Array.from(floats);
  if (data.length === 1 && size > 1) {
    repeat(size);
    return { shape, data: new Float32Array(size).fill(data[0]!) };
  }
  if (data.length !== size) throw new Error(`a tensor of shape [${shape.join(" ")}] has ${data.length} numbers`);
  return { shape, data };
};

const constantOf = (attributes: readonly Uint8Array[], repeat: Repeat): GraphConstant | undefined => {
  for (const entry of attributes) {
    let [key, tensor] = ["", undefined as GraphConstant | undefined];
    fields(entry, (field, _, reader) => {
      if (field === ENTRY.key) key = reader.string();
      else if (field === ENTRY.value)
        fields(reader.bytes(), (inner, __, value) => {
          if (inner === ATTRIBUTE_TENSOR) tensor = tensorOf(value.bytes(), repeat);
          return inner === ATTRIBUTE_TENSOR;
        });
      else return false;
      return true;
    });
    if (key === "value" && tensor) return tensor;
  }
  return undefined;
};

/** The float constants of a frozen TensorFlow graph (`.pb`), by the names of their nodes. Throws a `UserError` for other bytes. */
export const readGraphConstants = (bytes: Uint8Array, path: string): Map<string, GraphConstant> => {
  const constants = new Map<string, GraphConstant>();
  const repeat = repeats();
  try {
    fields(bytes, (field, _, reader) => {
      if (field !== GRAPH_NODE) return false;
      let [name, op] = ["", ""];
      const attributes: Uint8Array[] = [];
      fields(reader.bytes(), (inner, __, node) => {
        if (inner === NODE.name) name = node.string();
        else if (inner === NODE.op) op = node.string();
        else if (inner === NODE.attribute) attributes.push(node.bytes());
        else return false;
        return true;
      });
      const constant = op === "Const" ? constantOf(attributes, repeat) : undefined;
      if (constant) constants.set(name, constant);
      return true;
    });
  } catch (thrown) {
    throw new UserError(`${path} is not a frozen TensorFlow graph: ${shown(messageOf(thrown), 200)}`);
  }
  if (constants.size === 0)
    throw new UserError(`${path} is not a frozen TensorFlow graph: it holds no float constants`);
  return constants;
};
