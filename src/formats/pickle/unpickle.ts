import { UserError } from "../../errors.js";
import { INSTRUCTIONS } from "./instructions.js";
import { Machine } from "./machine.js";
import type { Value, Vocabulary } from "./values.js";

const STOP = 0x2e;

/**
 * The value that a pickle of protocol 2 to 5 describes. A pickle is a program; this runs it on a machine that has data
 * and the vocabulary's functions, and nothing of this process. Time and memory are bounded by the pickle's length and
 * `LIMITS`. Throws a `UserError` that begins with `file` and names what is not allowed or malformed.
 * After the Python library reference, pickletools.
 */
export const unpickle = (bytes: Uint8Array, file: string, vocabulary: Vocabulary): Value => {
  const { value, end } = unpickleAt(bytes, 0, file, vocabulary);
  if (end !== bytes.length) throw new UserError(`${file}: ${bytes.length - end} bytes follow its end`);
  return value;
};

/** The same for a pickle among others: it begins at byte `start`, and the next thing at `end`. */
export const unpickleAt = (
  bytes: Uint8Array,
  start: number,
  file: string,
  vocabulary: Vocabulary,
): { readonly value: Value; readonly end: number } => {
  const m: Machine = new Machine(bytes, file, vocabulary);
  m.at = start;
  for (let code = m.uint8(); code !== STOP; code = m.uint8()) {
    const run = INSTRUCTIONS.get(code);
    if (!run) m.fail(`byte ${m.at - 1} is ${code}, which is no pickle instruction`);
    run(m);
  }
  const [value, ...more] = m.stack;
  if (value === undefined || more.length > 0 || m.marks.length > 0)
    m.fail(`it ends with ${m.stack.length} values and ${m.marks.length} marks; one value and no mark were expected`);
  return { value, end: m.at };
};
