import { build, extend, fill, global, integer, newObjectEx, reduce, setItems, stackGlobal } from "./build.js";
import type { Machine } from "./machine.js";
import { Dict, List, Tuple } from "./values.js";

const HIGHEST_PROTOCOL = 5;

export type Instruction = (m: Machine) => void;

const tuple =
  (count: number): Instruction =>
  (m) =>
    m.create(new Tuple(m.popMany(count)));

const protocol: Instruction = (m) => {
  const version = m.uint8();
  if (version > HIGHEST_PROTOCOL)
    m.fail(`it is written in pickle protocol ${version}; 2 to ${HIGHEST_PROTOCOL} are read`);
};

/** A frame says how much to read ahead; the instructions in it are read as any others. */
const frame: Instruction = (m) => {
  const { length } = m.take(m.uint64());
  m.at -= length;
};

const LATIN1 = new TextDecoder("latin1");
const latin1 = (bytes: Uint8Array): string => LATIN1.decode(bytes);

const refused =
  (name: string, why: string): Instruction =>
  (m) =>
    m.fail(`it uses the pickle instruction ${name}, ${why}`);

const OLD = "of protocol 0 or 1; files of torch.save have 2 to 5";
const EXTENSION = "which refers to objects outside of the file";

const inst: Instruction = (m) => {
  const module = m.line();
  global(m, module, m.line());
  refused("INST", OLD)(m);
};

/** By opcode. STOP is not here: it ends the loop. */
export const INSTRUCTIONS: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  [0x80, protocol],
  [0x95, frame],
  [0x28, (m) => m.mark()],
  [0x30, (m) => (m.marks.at(-1) === m.stack.length ? m.popMark() : m.pop())], // POP
  [0x31, (m) => m.popMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x4e, (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [0x4a, (m) => m.push(m.int32())], // BININT
  [0x4b, (m) => m.push(m.uint8())], // BININT1
  [0x4d, (m) => m.push(m.uint16())], // BININT2
  [0x8a, (m) => m.create(integer(m, m.uint8()))], // LONG1
  [0x8b, (m) => m.create(integer(m, m.int32()))], // LONG4
  [0x47, (m) => m.push(m.float64())], // BINFLOAT
  [0x58, (m) => m.create(m.text(m.uint32()))], // BINUNICODE
  [0x8c, (m) => m.create(m.text(m.uint8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.create(m.text(m.uint64()))], // BINUNICODE8
  [0x54, (m) => m.create(latin1(m.take(m.uint32())))], // BINSTRING, of Python 2
  [0x55, (m) => m.create(latin1(m.take(m.uint8())))], // SHORT_BINSTRING
  [0x42, (m) => m.create(m.take(m.uint32()))], // BINBYTES
  [0x43, (m) => m.create(m.take(m.uint8()))], // SHORT_BINBYTES
  [0x8e, (m) => m.create(m.take(m.uint64()))], // BINBYTES8
  [0x96, (m) => m.create(m.take(m.uint64()))], // BYTEARRAY8
  [0x5d, (m) => m.create(new List([]))],
  [0x8f, (m) => m.create(new List([]))], // EMPTY_SET
  [0x61, (m) => extend(m, [m.pop()])], // APPEND
  [0x65, (m) => extend(m, m.popMark())], // APPENDS
  [0x90, (m) => extend(m, m.popMark())], // ADDITEMS
  [0x6c, (m) => m.create(new List(m.popMark()))], // LIST
  [0x91, (m) => m.create(new List(m.popMark()))], // FROZENSET
  [0x29, tuple(0)],
  [0x85, tuple(1)],
  [0x86, tuple(2)],
  [0x87, tuple(3)],
  [0x74, (m) => m.create(new Tuple(m.popMark()))], // TUPLE
  [0x7d, (m) => m.create(new Dict())],
  [0x64, (m) => m.create(fill(m, new Dict(), m.popMark()))], // DICT
  [0x73, (m) => setItems(m, m.popMany(2))], // SETITEM
  [0x75, (m) => setItems(m, m.popMark())], // SETITEMS
  [0x71, (m) => m.remember(m.uint8())], // BINPUT
  [0x72, (m) => m.remember(m.uint32())], // LONG_BINPUT
  [0x94, (m) => m.remember(m.memo.size)], // MEMOIZE
  [0x68, (m) => m.recall(m.uint8())], // BINGET
  [0x6a, (m) => m.recall(m.uint32())], // LONG_BINGET
  [0x63, (m) => m.push(global(m, m.line(), m.line()))], // GLOBAL
  [0x93, stackGlobal],
  [0x52, reduce],
  [0x81, reduce], // NEWOBJ: for what is allowed, class(…) and class.__new__(class, …) are the same
  [0x92, newObjectEx],
  [0x62, build],
  [0x51, (m) => m.create(m.vocabulary.persistent(m.pop()))], // BINPERSID
  [0x69, inst],
  [0x6f, refused("OBJ", OLD)],
  [0x49, refused("INT", OLD)],
  [0x4c, refused("LONG", OLD)],
  [0x46, refused("FLOAT", OLD)],
  [0x53, refused("STRING", OLD)],
  [0x56, refused("UNICODE", OLD)],
  [0x67, refused("GET", OLD)],
  [0x70, refused("PUT", OLD)],
  [0x50, refused("PERSID", OLD)],
  [0x82, refused("EXT1", EXTENSION)],
  [0x83, refused("EXT2", EXTENSION)],
  [0x84, refused("EXT4", EXTENSION)],
  [0x97, refused("NEXT_BUFFER", EXTENSION)],
  [0x98, refused("READONLY_BUFFER", EXTENSION)],
]);
