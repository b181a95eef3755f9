import { UserError } from "../../errors.js";
import { Callable, Dict, Foreign, List, Tuple, type Value, type Vocabulary } from "../pickle/values.js";
import { shown } from "../randomAccess.js";
import type { SafetensorsType } from "../safetensors.js";
import { type View, viewProblem } from "./view.js";

/** The bytes of one or several tensors: member data/<key> of the archive. */
export class Storage extends Foreign {
  constructor(
    readonly dtype: SafetensorsType,
    readonly key: string,
    /** Number of elements. */
    readonly elements: number,
  ) {
    super();
  }
}

/** A view of a storage. */
export class Tensor extends Foreign implements View {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

/** The class of a storage, which says its element type. */
class StorageType extends Foreign {
  constructor(readonly dtype: SafetensorsType) {
    super();
  }
}

const STORAGES: Readonly<Record<string, SafetensorsType>> = {
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  DoubleStorage: "F64",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** Element types by name, where a checkpoint keeps some beside its tensors: plain text here. */
const DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];

/** torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks[, metadata]) */
const rebuildTensor = (file: string) =>
  new Callable("torch._utils._rebuild_tensor_v2", ([storage, offset, size, stride]) => {
    if (!(storage instanceof Storage) || !(size instanceof Tuple) || !(stride instanceof Tuple)) return undefined;
    const problem = viewProblem(offset, size.items, stride.items, storage.elements);
    if (problem !== undefined)
      throw new UserError(`${file}: a tensor of storage ${storage.key} is malformed: ${problem}`);
    return new Tensor(storage, offset as number, size.items as number[], stride.items as number[]);
  });

/** torch._utils._rebuild_parameter(data, requires_grad, backward_hooks): its data. */
const rebuildParameter = new Callable("torch._utils._rebuild_parameter", ([data]) =>
  data instanceof Tensor ? data : undefined,
);

/** collections.OrderedDict(), or with a list of pairs as Python 2 writes it. */
const orderedDict = new Callable("collections.OrderedDict", ([pairs, ...more], spend) => {
  const dict = new Dict();
  if (pairs === undefined) return dict;
  if (!(pairs instanceof List) || more.length > 0) return undefined;
  spend(pairs.items.length);
  for (const pair of pairs.items) {
    const [key, value] = pair instanceof Tuple || pair instanceof List ? pair.items : [];
    if (key === undefined || value === undefined || key instanceof List || key instanceof Dict) return undefined;
    dict.entries.set(key, value);
  }
  return dict;
});

const namespace = new Callable("argparse.Namespace", (args) => (args.length === 0 ? new Dict(true) : undefined));

const size = new Callable("torch.Size", ([sizes]) => (sizes instanceof Tuple ? sizes : undefined));

const device = new Callable("torch.device", ([name]) => (typeof name === "string" ? name : undefined));

/** _codecs.encode(text, "latin1"): how protocol 2 writes bytes. */
const encode = new Callable("_codecs.encode", ([text, encoding], spend) => {
  if (typeof text !== "string" || encoding !== "latin1" || /[^\0-\xff]/.test(text)) return undefined;
  spend(text.length);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
});

/** ("storage", class, key, location, number of elements); before PyTorch 1.6 also what it is a view of, which must be nothing. */
const storageOf = (id: Value, file: string): Storage => {
  const [tag, type, key, , elements, viewed] = id instanceof Tuple ? id.items : [];
  const known =
    tag === "storage" && type instanceof StorageType && typeof key === "string" && (viewed ?? null) === null;
  if (!known || !Number.isSafeInteger(elements) || (elements as number) < 0)
    throw new UserError(`${file}: a reference to a storage is malformed`);
  if (!/^[\w-]{1,64}$/.test(key)) throw new UserError(`${file}: a storage is called ${shown(key)}, which is no number`);
  return new Storage(type.dtype, key, elements as number);
};

/** What a file of torch.save may refer to. A Map, so that a name such as constructor finds nothing. */
export const torchVocabulary = (file: string): Vocabulary => {
  const globals = new Map<string, Value>([
    ...Object.entries(STORAGES).map(([name, dtype]) => [`torch.${name}`, new StorageType(dtype)] as const),
    ...DTYPES.map((name) => [`torch.${name}`, `torch.${name}`] as const),
    ...[rebuildTensor(file), rebuildParameter, orderedDict, namespace, size, device, encode].map(
      (callable) => [callable.name, callable] as const,
    ),
  ]);
  return {
    global: (module, name) => globals.get(`${module}.${name}`),
    persistent: (id) => storageOf(id, file),
    allowed: "tensors, state dicts and plain values",
  };
};
