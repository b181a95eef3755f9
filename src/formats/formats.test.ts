import fc from "fast-check";
import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { chart } from "./chart.js";
import { crc32c, maskedCrc32c } from "./crc32c.js";
import { grid, toBytes } from "./grid.js";
import { mosaic } from "./mosaic.js";
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz } from "./npz.js";
import { bfloatToNumber, encodeHeader, halfToNumber, readSafetensors } from "./safetensors.js";
import { scatter } from "./scatter.js";
import { imageEvent, scalarsEvent, versionEvent } from "./tfevents.js";

const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => Array.from(part)));
const bytesOf = (data: { buffer: ArrayBuffer; byteOffset: number; byteLength: number }): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describe("safetensors", () => {
  const tensor = fc.record({
    name: fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("__proto__", "constructor", "a.b.0")),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  });

  test("what is written is read back, whatever the names and shapes", () => {
    fc.assert(
      fc.property(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 }), (tensors) => {
        const wanted = tensors.filter(({ name }) => name !== "__metadata__");
        const values = wanted.map(({ shape }, k) =>
          Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + k / 8),
        );
        const header = encodeHeader(
          wanted.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })),
          { step: "3" },
        );
        const { tensors: read, metadata } = readSafetensors(join(header, ...values.map(bytesOf)), "file");
        expect(metadata).toEqual({ step: "3" });
        expect([...read.keys()].sort()).toEqual(wanted.map(({ name }) => name).sort());
        wanted.forEach(({ name, shape }, i) => {
          expect(read.get(name)!.shape).toEqual(shape);
          expect(read.get(name)!.data).toEqual(values[i]);
        });
      }),
    );
  });

  const file = (header: string | object, data: Uint8Array = new Uint8Array(0)): Uint8Array => {
    const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
    const length = new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer);
    return join(length, json, data);
  };
  const entry = (dtype: string, shape: number[], start: number, end: number) => ({
    dtype,
    shape,
    data_offsets: [start, end],
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["seven bytes", new Uint8Array(7), /^f is not a safetensors file: it has only 7 bytes$/],
    [
      "a header longer than the limit",
      join(new Uint8Array(BigUint64Array.of(2n ** 40n).buffer)),
      /^f is not a safetensors file: its header would have 1099511627776 bytes; at most 8388608 are read$/,
    ],
    [
      "a header longer than the file",
      file("{}").subarray(0, 9),
      /^f is truncated: its header needs 10 bytes, the file has 9$/,
    ],
    ["metadata that are no texts", file({ __metadata__: { step: 3 } }), /^f: its __metadata__ must be texts by name$/],
    [
      "a type of nested lists",
      file(`{"a": {"dtype": ${"[".repeat(50_000)}${"]".repeat(50_000)}}}`),
      /^f: tensor a has element type object; known are /,
    ],
    [
      "a name that steers a terminal",
      file({ "\u001b[2J\n": 3 }),
      /^f: tensor �\[2J� has element type undefined; known/,
    ],
    ["no JSON", file("{nope"), /^f is not a safetensors file: its header is not JSON$/],
    ["a list", file("[]"), /^f is not a safetensors file: its header is not an object$/],
    [
      "an unknown type",
      file({ a: entry("F31", [1], 0, 4) }, new Uint8Array(4)),
      /^f: tensor a has element type F31; known are F64, F32/,
    ],
    [
      "a negative size",
      file({ a: entry("F32", [-1], 0, 4) }, new Uint8Array(4)),
      /^f: the entry of tensor a is malformed$/,
    ],
    [
      "a size that does not fit",
      file({ a: entry("F32", [2], 0, 4) }, new Uint8Array(4)),
      /^f: tensor a of shape \[2\] takes 8 bytes, its entry says 4$/,
    ],
    [
      "missing data",
      file({ a: entry("F32", [2], 0, 8) }, new Uint8Array(7)),
      /^f is truncated: tensor a ends at byte 8 of the data, the file has 7$/,
    ],
    [
      "a gap",
      file({ a: entry("F32", [1], 4, 8) }, new Uint8Array(8)),
      /^f: tensor a starts at byte 4 of the data; byte 0 was expected$/,
    ],
    [
      "an overlap",
      file({ a: entry("F32", [2], 0, 8), b: entry("F32", [1], 4, 8) }, new Uint8Array(8)),
      /^f: tensor b starts at byte 4 of the data; byte 8 was expected$/,
    ],
    [
      "bytes after the last tensor",
      file({ a: entry("U8", [1], 0, 1) }, new Uint8Array(3)),
      /^f: 2 bytes follow the last tensor$/,
    ],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => readSafetensors(bytes, "f")).toThrow(UserError);
    expect(() => readSafetensors(bytes, "f")).toThrow(message);
  });

  test.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x0400, 2 ** -14],
    [0x7c00, Infinity],
    [0x8000, -0],
  ])("half %i is %d", (bits, value) => {
    expect(halfToNumber(bits)).toBe(value);
  });

  test.each([
    [0x3f80, 1],
    [0xc000, -2],
    [0x4049, 3.140625],
    [0x7f80, Infinity],
  ])("bfloat16 %i is %d", (bits, value) => {
    expect(bfloatToNumber(bits)).toBe(value);
  });

  test("halves and bfloat16 come as float32", () => {
    const data = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3f80).buffer);
    const { tensors } = readSafetensors(file({ h: entry("F16", [2], 0, 4), b: entry("BF16", [1], 4, 6) }, data), "f");
    expect(tensors.get("h")!.data).toEqual(Float32Array.of(1, -2));
    expect(tensors.get("b")!.data).toEqual(Float32Array.of(1));
  });
});

describe("npy and npz", () => {
  test("the bytes are numpy's", () => {
    // numpy.save of numpy.array([[1, 2, 3]], dtype="u1"): magic, version 1.0, header padded to 128 bytes, data
    const bytes = encodeNpy({ shape: [1, 3], data: Uint8Array.of(1, 2, 3) });
    expect(bytes.length).toBe(131);
    expect([...bytes.subarray(0, 10)]).toEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
    const header = new TextDecoder().decode(bytes.subarray(10, 128));
    expect(header).toBe(`${"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }".padEnd(117)}\n`);
  });

  test("round trips", () => {
    const numbers = fc.oneof(
      fc.uint8Array().map((data) => Uint8Array.from(data)),
      fc.float32Array({ noNaN: true }).map((data) => Float32Array.from(data)),
      fc.float64Array({ noNaN: true }).map((data) => Float64Array.from(data)),
      fc.bigInt64Array().map((data) => BigInt64Array.from(data)),
    );
    fc.assert(
      fc.property(numbers, (data) => {
        expect(decodeNpy(encodeNpy({ shape: [data.length], data }), "a")).toEqual({ shape: [data.length], data });
        const npz = encodeNpz({ arr_0: { shape: [data.length, 1], data } });
        expect(decodeNpz(npz, "a")).toEqual({ arr_0: { shape: [data.length, 1], data } });
        expect(Object.keys(unzipSync(npz))).toEqual(["arr_0.npy"]);
      }),
    );
  });

  test("what is not one is refused", () => {
    expect(() => decodeNpy(Uint8Array.of(1, 2), "a.npy")).toThrow("a.npy is not a .npy file");
    expect(() => decodeNpy(encodeNpy({ shape: [4], data: new Float32Array(4) }).subarray(0, 140), "a.npy")).toThrow(
      "a.npy is truncated: 16 bytes of data are wanted, it has 12",
    );
    expect(() => decodeNpz(Uint8Array.of(1, 2, 3), "a.npz")).toThrow("a.npz is not a whole .npz file");
  });
});

describe("hostile npy and npz", () => {
  const npy = (text: string, more = 0): Uint8Array =>
    join(
      Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0),
      new TextEncoder().encode(text),
      new Uint8Array(more),
    );
  const head = (shape: string, descr = "|u1"): string =>
    `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;

  test.each([
    ["a magic number alone", npy("").subarray(0, 7), /^f is truncated: its header is not whole$/],
    [
      "a header beyond the file",
      npy(head("1")).subarray(0, 30),
      /^f is truncated or damaged: its header would have \d+ bytes$/,
    ],
    ["a negative size", npy(head("-1,")), /^f: its shape is \(-1,\); at most 32 whole numbers are read$/],
    ["a broken size", npy(head("1.5,")), /^f: its shape is \(1\.5,\); at most 32 whole numbers are read$/],
    ["a size beyond all", npy(head("9".repeat(40))), /^f: its shape is \(9{40}\); at most 32 whole numbers are read$/],
    ["many axes", npy(head("1,".repeat(40))), /^f: its shape is \((1,)+\); at most 32 whole numbers are read$/],
    ["no shape", npy("{'descr': '|u1'}\n"), /^f: its shape is \(\); at most 32 whole numbers are read$/],
    ["a type that steers a terminal", npy(head("1,", "\u001b[2J")), /^f holds �\[2J in row order; known are /],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => decodeNpy(bytes, "f")).toThrow(message);
    expect(() => decodeNpy(bytes, "f")).toThrow(UserError);
  });

  test("an archive that states more than it can hold is refused before anything is unpacked", () => {
    const bytes = encodeNpz({ a: { shape: [3], data: new Uint8Array(3) } });
    const entry = new DataView(bytes.buffer).getUint32(bytes.length - 6, true);
    const lying = bytes.slice();
    const view = new DataView(lying.buffer);
    view.setUint32(entry + 24, 2 ** 30, true);
    expect(() => decodeNpz(lying, "f")).toThrow(/^f: a\.npy states 1073741824 bytes; its \d+ cannot hold them$/);
    view.setUint32(entry + 20, 2 ** 30, true);
    expect(() => decodeNpz(lying, "f")).toThrow(
      "f: its arrays would have 1073741824 bytes; at most 268435456 are read",
    );
  });
});

describe("TensorBoard events", () => {
  test("CRC-32C of 123456789 is e3069283", () => {
    expect(crc32c(new TextEncoder().encode("123456789")).toString(16)).toBe("e3069283");
  });

  test.each([
    ["version", versionEvent(1)],
    ["scalars", scalarsEvent(2, 300, { loss: 0.5, mse: 2 })],
    ["image", imageEvent(3, 7, "samples", { png: Uint8Array.of(1, 2, 3), width: 4, height: 5 })],
  ])("%s: the record's length and both checksums hold", (_, bytes) => {
    const view = new DataView(bytes.buffer);
    const length = Number(view.getBigUint64(0, true));
    expect(bytes.length).toBe(length + 16);
    expect(view.getUint32(8, true)).toBe(maskedCrc32c(bytes.subarray(0, 8)));
    expect(view.getUint32(12 + length, true)).toBe(maskedCrc32c(bytes.subarray(12, 12 + length)));
  });

  test("a scalar event is the protobuf that TensorBoard reads", () => {
    // Event { wall_time (1, double): 2, step (2, varint): 300, summary (5) { value (1) { tag (1): "a", simple_value (2, float): 0.5 } } }
    const payload = scalarsEvent(2, 300, { a: 0.5 }).subarray(12, -4);
    expect(Buffer.from(payload).toString("hex")).toBe(`09${"0000000000000040"}10ac022a0a0a080a0161150000003f`);
  });
});

describe("pictures", () => {
  test("−1 … 1 become 0 … 255 by the official rule, and nothing leaves the range", () => {
    expect([...toBytes(Float32Array.of(-1, -0.999, 0, 0.999, 1, 5, -5))]).toEqual([0, 0, 128, 255, 255, 255, 0]);
    fc.assert(
      fc.property(fc.float({ min: -1, max: 1, noNaN: true }), (x) => {
        expect(toBytes(Float32Array.of(x))[0]).toBe(Math.max(0, Math.min(255, Math.trunc(127.5 * x + 128))));
      }),
    );
  });

  test("every pixel of every image is in its place", () => {
    const [count, channels, size, scale] = [5, 3, 2, 3];
    const data = Uint8Array.from({ length: count * channels * size * size }, (_, i) => 100 + i);
    const { width, height, rgb } = grid({ data, count, channels, size }, { columns: 3, scale });
    expect([width, height]).toEqual([3 * 8 + 2, 2 * 8 + 2]);
    for (let i = 0; i < count; i++)
      for (let y = 0; y < size * scale; y++)
        for (let x = 0; x < size * scale; x++)
          for (let c = 0; c < 3; c++) {
            const [left, top] = [2 + (i % 3) * 8 + x, 2 + Math.floor(i / 3) * 8 + y];
            const from = ((i * channels + c) * size + Math.floor(y / scale)) * size + Math.floor(x / scale);
            expect(rgb[(top * width + left) * 3 + c]).toBe(data[from]);
          }
  });

  test("a label adds room above its image", () => {
    const image = { data: new Uint8Array(64), count: 1, channels: 1, size: 8 };
    const [bare, labelled] = [grid(image), grid(image, { labels: [7] })];
    expect(labelled.height).toBeGreaterThan(bare.height);
    expect(Math.max(...labelled.rgb)).toBe(200);
    expect(Math.max(...bare.rgb)).toBe(24);
  });

  test("a chart has a line and a name for each series, and no number that is none", () => {
    const svg = chart("a < b", "step", [
      {
        name: "one",
        points: [
          [1, 2],
          [2, 0.5],
        ],
      },
      {
        name: "two",
        points: [
          [1, 1],
          [2, 1],
        ],
      },
    ]);
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg).toContain("a &lt; b");
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

describe("pictures of points, and many pictures in one", () => {
  test("a point brightens the pixel it falls on, y upwards; points outside are left out", () => {
    const picture = scatter(Float32Array.of(0.9, 0.9, 5, 5), { side: 4, extent: 1 });
    const brightness = Array.from({ length: 16 }, (_, i) => picture.rgb[3 * i + 2]!);
    const ground = brightness[15]!;
    expect(brightness[3]).toBeGreaterThan(ground);
    expect(brightness.filter((value) => value !== ground)).toHaveLength(1);
  });

  test("more points are brighter, up to a limit", () => {
    const at = (count: number) => scatter(new Float32Array(2 * count), { side: 3, extent: 1 }).rgb[3 * 4]!;
    expect(at(2)).toBeGreaterThan(at(1));
    expect(at(1000)).toBeLessThanOrEqual(255);
  });

  test("a mosaic keeps every pixel in its cell and leaves gaps white", () => {
    const tile = (value: number) => ({ width: 2, height: 1, rgb: new Uint8Array(6).fill(value) });
    const { width, height, rgb } = mosaic(
      [
        [tile(10), undefined],
        [tile(20), tile(30)],
      ],
      1,
    );
    expect([width, height]).toEqual([7, 5]);
    const at = (x: number, y: number) => rgb[(y * width + x) * 3];
    expect([at(1, 1), at(2, 1), at(4, 1), at(1, 3), at(4, 3), at(0, 0)]).toEqual([10, 10, 255, 20, 30, 255]);
  });
});
