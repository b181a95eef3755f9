import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { fromBytes } from "../../src/formats/randomAccess.js";
import { openTorch } from "../../src/formats/torch/checkpoint.js";
import { archive, concat, le, torchFile, type Written } from "./archive.js";
import { call, dict, global, integer, op, pickle, recall, storage, tensor, text, tuple } from "./pickle.js";

/** Files that want something, lie, or are broken: each is refused with one line, quickly, in little memory. */

type Bytes = Uint8Array | readonly number[];

const LARGEST_GROWTH = 200 * 2 ** 20;
const LONGEST_MS = 3000;

const FOUR = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const x = (value: Bytes): Uint8Array => pickle(dict([text("x"), value]));
const repeated = (unit: Bytes, count: number): Uint8Array => {
  const all = new Uint8Array(unit.length * count);
  for (let i = 0; i < count; i++) all.set(unit, i * unit.length);
  return all;
};

const ONLY = "only tensors, state dicts and plain values are read";
const SYSTEM = `the file wants to call os.system; ${ONLY}`;

const PICKLES: Readonly<Record<string, readonly [Bytes, string | RegExp]>> = {
  "REDUCE of os.system": [x(call("os", "system", text("touch pwned"))), SYSTEM],
  "GLOBAL alone": [x(global("os", "system")), SYSTEM],
  STACK_GLOBAL: [x(concat(text("os"), text("system"), op.stackGlobal)), SYSTEM],
  "STACK_GLOBAL of numbers": [
    x(concat(integer(1), integer(2), op.stackGlobal)),
    "it names a global by something other than text",
  ],
  INST: [x(concat(op.mark, [0x69], new TextEncoder().encode("os\nsystem\n"))), SYSTEM],
  "INST of what is allowed": [
    x(concat(op.mark, [0x69], new TextEncoder().encode("collections\nOrderedDict\n"))),
    "it uses the pickle instruction INST, of protocol 0 or 1; files of torch.save have 2 to 5",
  ],
  OBJ: [
    x(concat(op.mark, global("collections", "OrderedDict"), [0x6f])),
    "it uses the pickle instruction OBJ, of protocol 0 or 1; files of torch.save have 2 to 5",
  ],
  NEWOBJ: [
    x(concat(global("subprocess", "Popen"), tuple(text("sh")), op.newObject)),
    `the file wants to call subprocess.Popen; ${ONLY}`,
  ],
  "NEWOBJ_EX with named arguments": [
    x(concat(global("torch", "device"), op.emptyTuple, dict([text("type"), text("cpu")]), [0x92])),
    "it calls with named arguments, which are not read",
  ],
  "BUILD on a tensor": [
    x(concat(tensor(storage("0", 4), 0, [4], [1]), dict([text("__class__"), integer(1)]), op.build)),
    "the file wants to set the state of Tensor, which is not read",
  ],
  "BUILD on a function": [
    x(concat(global("torch", "Size"), dict([text("call"), integer(1)]), op.build)),
    "the file wants to set the state of torch.Size, which is not read",
  ],
  EXT1: [x([0x82, 1]), "it uses the pickle instruction EXT1, which refers to objects outside of the file"],
  EXT4: [x([0x84, 1, 0, 0, 0]), "it uses the pickle instruction EXT4, which refers to objects outside of the file"],
  NEXT_BUFFER: [x([0x97]), "it uses the pickle instruction NEXT_BUFFER, which refers to objects outside of the file"],
  "a name of Object's": [
    x(call("constructor", "constructor")),
    `the file wants to call constructor.constructor; ${ONLY}`,
  ],
  "a name with control characters": [
    x(concat(text("os\u001b[2J\n"), text(`s${"y".repeat(500)}`), op.stackGlobal)),
    new RegExp(`^the file wants to call os\ufffd\\[2J\ufffd\\.sy{71}…; ${ONLY}$`),
  ],
  "a call of a text": [
    x(concat(text("eval"), op.emptyTuple, op.reduce)),
    "the file wants to call string, which is no function",
  ],
  "a call of a tensor": [
    x(concat(tensor(storage("0", 4), 0, [4], [1]), op.emptyTuple, op.reduce)),
    "the file wants to call Tensor, which is no function",
  ],
  "malformed arguments": [x(call("torch", "device", integer(1))), "the arguments of torch.device are malformed"],
  "a shape that is no tuple": [
    x(call("torch._utils", "_rebuild_tensor_v2", storage("0", 4), integer(0), integer(4), integer(1))),
    "the arguments of torch._utils._rebuild_tensor_v2 are malformed",
  ],
  "LONG4 of 2 GB": [
    x(concat([0x8b], le(4, 2 ** 31 - 1))),
    "it has an integer of 2147483647 bytes; at most 256 are read",
  ],
  "LONG4 of negative length": [
    x(concat([0x8b], le(4, -1n & 0xffffffffn))),
    "it has an integer of -1 bytes; at most 256 are read",
  ],
  "BINUNICODE8 of 16 EB": [
    x(concat([0x8d], le(8, 2n ** 64n - 1n))),
    /^an instruction at byte \d+ claims 18446744073709552000 bytes; 2 are left$/,
  ],
  "BINBYTES8 of 4 GB": [
    x(concat([0x8e], le(8, 2 ** 32))),
    /^an instruction at byte \d+ claims 4294967296 bytes; 2 are left$/,
  ],
  "BYTEARRAY8 of 8 TB": [
    x(concat([0x96], le(8, 2 ** 43))),
    /^an instruction at byte \d+ claims 8796093022208 bytes; 2 are left$/,
  ],
  "FRAME of 1 TB": [
    x(concat([0x95], le(8, 2 ** 40))),
    /^an instruction at byte \d+ claims 1099511627776 bytes; 2 are left$/,
  ],
  "protocol 6": [concat([0x80, 6], op.dict, op.stop), "it is written in pickle protocol 6; 2 to 5 are read"],
  "no instruction": [x([0xff]), /^byte \d+ is 255, which is no pickle instruction$/],
  "no end": [concat(op.proto, op.dict), "an instruction at byte 3 claims 1 bytes; 0 are left"],
  "bytes after the end": [concat(pickle(op.dict), [0, 0]), "2 bytes follow its end"],
  "nothing left at the end": [pickle(), "it ends with 0 values and 0 marks; one value and no mark were expected"],
  "two values at the end": [
    pickle(op.none, op.none),
    "it ends with 2 values and 0 marks; one value and no mark were expected",
  ],
  "a value from under the mark": [
    pickle(op.none, op.mark, op.append),
    /^the instruction before byte \d+ takes a value where none is$/,
  ],
  "a mark that is not there": [
    pickle(op.none, op.tuple),
    /^the instruction before byte \d+ looks for a mark where none is$/,
  ],
  "marks without end": [repeated(op.mark, 100_000), "it is nested more than 1000 deep"],
  "lists within lists": [
    pickle(repeated(op.list, 50_000), repeated(op.append, 49_999)),
    `it is nested more than 16 deep, at ${Array(16).fill("0").join(".")}`,
  ],
  "values without end": [repeated(op.none, 2_000_000), "it has more than 250000 values on its stack"],
  "objects without end": [repeated([...op.list, 0x30], 3_000_000), "it makes more than 500000 objects"],
  "a memo without end": [concat(op.none, repeated(op.memoize, 2_000_000)), "it remembers more than 500000 values"],
  "a value that was not remembered": [x(recall(9)), "it recalls value 9, which it has not remembered"],
  "a list that holds itself": [
    pickle(op.list, op.memoize, recall(0), op.append),
    `it is nested more than 16 deep, at ${Array(16).fill("0").join(".")}`,
  ],
  "a billion laughs": [pickle(laughs(12)), "it has more than 200000 parts"],
  "the same long list copied again and again": [pickle(copies()), "it copies or holds more than 1000000 items"],
  "a list as key": [x(concat(op.dict, op.list, op.none, op.setItem)), "List cannot be a key of a dictionary"],
  "a key without value": [pickle(op.dict, op.mark, op.none, op.setItems), "a key of a dictionary has no value"],
  "a name of a megabyte": [
    pickle(dict([text("n".repeat(2 ** 20)), op.none])),
    /^a name has more than 400 characters: n{80}…$/,
  ],
  "two tensors of one name": [
    pickle(dict([text("a"), dict([text("b"), view()])], [text("a.b"), view()])),
    "two tensors are called a.b",
  ],
  "a shape of 2⁶⁰": [
    x(tensor(storage("0", 4), 0, [2n ** 30n, 2n ** 30n], [0, 0])),
    "a tensor of storage 0 is malformed: it has 1152921504606847000 elements, in a storage of 4",
  ],
  "sizes whose product is no number": [
    x(tensor(storage("0", 4), 0, [...Array<bigint>(60).fill(2n ** 50n), 0], Array<number>(61).fill(1))),
    "a tensor of storage 0 is malformed: it has NaN elements, in a storage of 4",
  ],
  "a negative stride": [
    x(tensor(storage("0", 4), 3, [4], [-1])),
    "a tensor of storage 0 is malformed: its offset, sizes and strides must be whole numbers of at least 0",
  ],
  "a negative offset": [
    x(tensor(storage("0", 4), -1, [4], [1])),
    "a tensor of storage 0 is malformed: its offset, sizes and strides must be whole numbers of at least 0",
  ],
  "an offset beyond 2⁵³": [
    x(tensor(storage("0", 4), 2n ** 63n, [4], [1])),
    "a tensor of storage 0 is malformed: its offset, sizes and strides must be whole numbers of at least 0",
  ],
  "a view beyond its storage": [
    x(tensor(storage("0", 4), 1, [4], [1])),
    "a tensor of storage 0 is malformed: it reaches to element 5 of a storage of 4",
  ],
  "sizes without strides": [
    x(tensor(storage("0", 4), 0, [2, 2], [1])),
    "a tensor of storage 0 is malformed: it has 2 sizes and 1 strides; as many of both, at most 64, are read",
  ],
  "a storage larger than its member": [
    x(tensor(storage("0", 2 ** 40), 0, [2 ** 40], [1])),
    "storage 0 has 16 bytes; 1099511627776 elements of F32 take 4398046511104",
  ],
  "a storage of negative size": [x(storage("0", -4)), "a reference to a storage is malformed"],
  "a storage that leads elsewhere": [
    x(storage("../../etc/passwd", 4)),
    "a storage is called ../../etc/passwd, which is no number",
  ],
  "a storage that is not there": [x(tensor(storage("7", 4), 0, [4], [1])), "storage 7 is missing"],
  "a type that is not known": [
    x(storage("0", 4, "UntypedStorage")),
    `the file wants to call torch.UntypedStorage; ${ONLY}`,
  ],
};

/** Twelve lists, each of them ten times in the next. */
function laughs(depth: number): Uint8Array {
  const rows = Array.from({ length: depth }, (_, i) =>
    concat(op.list, op.mark, ...Array.from({ length: 10 }, () => recall(i)), op.appends, op.memoize),
  );
  return tuple(concat(op.list, op.memoize), ...rows);
}

/** OrderedDict(pairs) a hundred thousand times, of one list with a thousand pairs. */
function copies(): Uint8Array {
  const pair = concat(op.none, op.none, [0x86]);
  const list = concat(op.list, op.mark, repeated(pair, 1000), op.appends, op.memoize);
  const orderedDict = concat(global("collections", "OrderedDict"), op.memoize);
  return concat(list, orderedDict, repeated(concat(recall(1), recall(0), [0x85], op.reduce, [0x30]), 100_000));
}

function view(): Uint8Array {
  return tensor(storage("0", 4), 0, [4], [1]);
}

/** What opening and reading everything says. */
const refusalOf = async (file: Uint8Array): Promise<string> => {
  try {
    const { tensors } = await openTorch(fromBytes(file, "f.pt"));
    for (const { read } of tensors.values()) await read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(UserError);
    return (thrown as UserError).message;
  }
  return "it was read";
};

const expectRefusal = async (file: Uint8Array, line: string | RegExp): Promise<void> => {
  const before = process.memoryUsage().rss;
  const start = performance.now();
  const message = await refusalOf(file);
  expect(performance.now() - start).toBeLessThan(LONGEST_MS);
  expect(process.memoryUsage().rss - before).toBeLessThan(LARGEST_GROWTH);
  expect(message.split("\n")).toHaveLength(1);
  if (typeof line === "string") expect(message.replace(/^f\.pt(: | )/, "")).toBe(line);
  else expect(message.replace(/^f\.pt(: | )/, "")).toMatch(line);
};

test.each(Object.entries(PICKLES))("pickle: %s", (_, [bytes, line]) =>
  expectRefusal(torchFile(bytes, { 0: FOUR }), line),
);

const GOOD = x(view());
const good = torchFile(GOOD, { 0: FOUR });
const member = (name: string, more: Partial<Written> = {}): Written => ({ name, bytes: FOUR, ...more });
const withMember = (name: string, more: Partial<Written> = {}): Uint8Array => torchFile(GOOD, {}, [member(name, more)]);

/** A pickle of zeros that deflates a thousandfold. */
const bomb = (stated: number): Uint8Array => {
  const packed = zipSync({ z: new Uint8Array(15 * 2 ** 20) }, { level: 9 });
  const data = packed.subarray(31, packed.length - 22 - 47); // after the header and its name, before the directory
  return archive([{ name: "a/data.pkl", bytes: data, method: 8, size: stated }]);
};

const ARCHIVES: Readonly<Record<string, readonly [Uint8Array, string | RegExp]>> = {
  "the file itself is good": [good, "it was read"],
  empty: [new Uint8Array(0), "is not a file of torch.save: it does not begin as a zip archive"],
  "another format": [new Uint8Array(100).fill(7), "is not a file of torch.save: it does not begin as a zip archive"],
  "without its end": [good.subarray(0, -30), "is not a zip archive, or is truncated: it has no end record"],
  "without its middle": [
    concat(good.subarray(0, 60), good.subarray(80)),
    /^its directory should end at byte \d+, it is said to end at \d+; it is truncated or not a zip archive$/,
  ],
  "something before it": [
    concat([0x50, 0x4b], good),
    /^its directory should end at byte \d+, it is said to end at \d+; /,
  ],
  "a count that is too large": [
    archive([member("a/data.pkl")], { count: 60000 }),
    /^its directory says 60000 members; its 56 bytes cannot hold them$/,
  ],
  "a count that is too small": [
    archive([member("a/data.pkl"), member("a/b")], { count: 1 }),
    "49 bytes follow the last directory entry",
  ],
  "no pickle": [archive([member("a/b")]), "is not a file of torch.save: it has 0 members data.pkl; one was expected"],
  "two pickles": [
    archive([member("a/data.pkl"), member("b/data.pkl")]),
    "is not a file of torch.save: it has 2 members data.pkl; one was expected",
  ],
  "a program": [
    torchFile(GOOD, { 0: FOUR }, [member("a/constants.pkl")]),
    "is a TorchScript program, not a checkpoint; save its state_dict() with torch.save",
  ],
  "a path upwards": [withMember("a/../../x"), "member a/../../x has a name that leads out of the archive"],
  "a path from the root": [withMember("/etc/passwd"), "member /etc/passwd has a name that leads out of the archive"],
  "a path of Windows": [withMember("C:\\x"), "member C:\\x has a name that leads out of the archive"],
  "a name that ends early": [
    withMember("a/data/0\0"),
    "member a/data/0\ufffd has a name that leads out of the archive",
  ],
  "two members of one name": [torchFile(GOOD, { 0: FOUR }, [member("a/data/0")]), "two members are called a/data/0"],
  "another name in the header": [
    withMember("a/data/0", { localName: "a/data/1" }),
    "member a/data/0 is called a/data/1 in its own header",
  ],
  "members that overlap": [
    withMember("a/data/0", { offset: 3 }),
    /^member a\/data\.pkl takes bytes 0 to \d+, over what begins at 3$/,
  ],
  "two names for the same bytes": [
    torchFile(GOOD, { 0: FOUR }, [member("a/data/1", { offset: 0 })]),
    /^member a\/data.pkl takes bytes 0 to \d+, over what begins at 0$/,
  ],
  "a header that is none": [
    withMember("a/data/0", { offset: 2 ** 31 }),
    /^member a\/data\/0 takes bytes 2147483648 to 2147483694, over what begins at \d+$/,
  ],
  encrypted: [withMember("a/data/0", { flags: 1 }), "member a/data/0 is encrypted"],
  "another method": [
    withMember("a/data/0", { method: 12 }),
    "member a/data/0 is packed by method 12; stored and deflated ones are read",
  ],
  "a compressed storage": [
    withMember("a/data/0", { method: 8 }),
    "storage 0 is compressed; torch.save stores tensors as they are",
  ],
  "stored, yet of two sizes": [
    withMember("a/data/0", { size: 2 ** 30 }),
    "member a/data/0 is stored, yet 16 bytes are to become 1073741824",
  ],
  "sizes of 64 bits": [withMember("a/data/0", { wide: true }), "it was read"],
  "sizes of 64 bits that lie": [
    withMember("a/data/0", { wide: true, offset: 2 ** 40 }),
    /^member a\/data\/0 takes bytes 1099511627776 to 1099511627822, over what begins at \d+$/,
  ],
  "sizes of 64 bits that are missing": [
    withMember("a/data/0", { size: 0xffffffff }),
    "member a/data/0 lacks the 64-bit sizes that its entry refers to",
  ],
  "a bomb that says so": [bomb(2 ** 30), "member a/data.pkl has 1073741824 bytes; at most 16777216 are read"],
  "a bomb that does not": [bomb(1000), "member a/data.pkl unpacks to more than the 1000 bytes that it states"],
  "a bomb within bounds": [bomb(15 * 2 ** 20), "byte 0 is 0, which is no pickle instruction"],
  "a deflated pickle that is none": [
    archive([{ name: "a/data.pkl", bytes: new Uint8Array(50).fill(0xff), method: 8, size: 100 }]),
    "member a/data.pkl is damaged: it cannot be unpacked",
  ],
  "a changed byte": [withMember("a/data/0", { crc: 5 }), "is damaged: the checksum of member a/data/0 does not match"],
  "a big-endian machine": [
    archive([
      { name: "a/data.pkl", bytes: GOOD },
      member("a/data/0"),
      { name: "a/byteorder", bytes: new TextEncoder().encode("big") },
    ]),
    "its byte order is big; files of little-endian machines are read",
  ],
};

test.each(Object.entries(ARCHIVES))("archive: %s", (_, [bytes, line]) => expectRefusal(bytes, line));

test("a file cut at any byte is refused", async () => {
  for (let n = 0; n < good.length; n++) expect(await refusalOf(good.subarray(0, n))).not.toBe("it was read");
});

test("keys such as __proto__ are keys and change nothing", async () => {
  const proto = dict([text("polluted"), integer(1)]);
  const file = torchFile(pickle(dict([text("__proto__"), proto], [text("constructor"), proto])));
  const { scalars } = await openTorch(fromBytes(file, "f.pt"));
  expect([...scalars]).toEqual([
    ["__proto__.polluted", 1],
    ["constructor.polluted", 1],
  ]);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});
