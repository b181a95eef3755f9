import { type HostArray, hostArray, sameShape, showType, sizeOf, type TensorType } from "../graph/dtype.js";
import type { DeviceTensor, Program, Tensors } from "./runtime.js";

export const programError = ({ name }: Program, problem: string): Error => new Error(`program ${name}: ${problem}`);

/** A message of ONNX Runtime without its line breaks. */
export const oneLine = (message: string): string => message.trim().replace(/\s*\n\s*/g, " ");

/** The tensors that a runtime makes itself, and no other, can be bound by it. */
type Own = new (...args: never[]) => DeviceTensor & { readonly disposed: boolean };

/** Throws unless every tensor that the program names is given, by that name, with that type, usable and not shared. */
export const checkBindings = (program: Program, inputs: Tensors, outputs: Tensors, own: Own): void => {
  checkSide(program, "input", inputs, own);
  checkSide(program, "output", outputs, own);
  const used = new Set(Object.values(inputs));
  for (const [name, tensor] of Object.entries(outputs)) {
    const over = program.inPlace?.[name];
    if (over !== undefined && inputs[over] === tensor) continue;
    if (used.has(tensor)) throw programError(program, `output ${name} is also bound as another input or output`);
    used.add(tensor);
  }
};

const checkSide = (program: Program, side: "input" | "output", given: Tensors, own: Own): void => {
  const wanted = side === "input" ? program.inputs : program.outputs;
  for (const [name, type] of Object.entries(wanted)) {
    const problem = problemOf(given[name], type, own);
    if (problem) throw programError(program, `${side} ${name} ${problem}`);
  }
  const extra = Object.keys(given).find((name) => !(name in wanted));
  if (extra !== undefined) throw programError(program, `there is no ${side} ${extra}${among(Object.keys(wanted))}`);
};

const problemOf = (tensor: DeviceTensor | undefined, type: TensorType, own: Own): string | null => {
  if (!tensor) return `is missing; it must be ${showType(type)}`;
  if (tensor.type.dtype !== type.dtype || !sameShape(tensor.type.shape, type.shape))
    return `is ${showType(tensor.type)}; it must be ${showType(type)}`;
  if (!(tensor instanceof own)) return "was made by another runtime";
  return tensor.disposed ? "was disposed" : null;
};

const SHOWN = 8;

const among = (names: readonly string[]): string =>
  names.length > SHOWN ? "" : `; the program has ${names.length === 0 ? "none" : names.join(", ")}`;

/** Throws unless the array has the kind and length that the type asks for. */
export const checkArray = (type: TensorType, data: HostArray): void => {
  const kind = hostArray(type.dtype, [0]).constructor;
  const length = sizeOf(type.shape);
  if (data.constructor !== kind || data.length !== length)
    throw new Error(
      `${showType(type)} takes a ${kind.name} of ${length}, got a ${data.constructor.name} of ${data.length}`,
    );
};
