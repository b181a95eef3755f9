import { type HostArray, hostArray, sameShape, showType, sizeOf, type TensorType } from "../graph/dtype.js";
import type { DeviceTensor, Program } from "./runtime.js";

/** Throws unless every tensor that the program names is given, by that name and with that type. */
export const checkBindings = (
  program: Program,
  side: "input" | "output",
  given: Readonly<Record<string, DeviceTensor>>,
): void => {
  const wanted = side === "input" ? program.inputs : program.outputs;
  for (const [name, type] of Object.entries(wanted)) {
    const got = given[name]?.type;
    if (!got) throw new Error(`program ${program.name}: ${side} ${name}, ${showType(type)}, is missing`);
    if (got.dtype !== type.dtype || !sameShape(got.shape, type.shape))
      throw new Error(`program ${program.name}: ${side} ${name} is ${showType(got)}; it must be ${showType(type)}`);
  }
  for (const name of Object.keys(given))
    if (!(name in wanted)) throw new Error(`program ${program.name} has no ${side} ${name}`);
};

/** Throws unless the array has the kind and length that the type asks for. */
export const checkArray = (type: TensorType, data: HostArray): void => {
  const kind = hostArray(type.dtype, []).constructor;
  const length = sizeOf(type.shape);
  if (data.constructor !== kind || data.length !== length)
    throw new Error(
      `${showType(type)} takes a ${kind.name} of ${length}, got a ${data.constructor.name} of ${data.length}`,
    );
};
