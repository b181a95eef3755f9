import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { readGraphConstants } from "./graphdef.js";

/** A field that holds a message. */
const message = (writer: BinaryWriter, field: number, fill: (inner: BinaryWriter) => void): BinaryWriter => {
  writer.tag(field, 2).fork();
  fill(writer);
  return writer.join();
};

/** A graph of constants that store one value and stand for a whole shape. */
const graph = (...shapes: readonly (readonly number[])[]): Uint8Array => {
  const writer = new BinaryWriter();
  for (const [i, shape] of shapes.entries())
    message(writer, 1, (node) => {
      node.tag(1, 2).string(`c${i}`).tag(2, 2).string("Const");
      message(node, 5, (attribute) => {
        attribute.tag(1, 2).string("value");
        message(attribute, 2, (value) =>
          message(value, 8, (tensor) => {
            tensor.tag(1, 0).int32(1);
            message(tensor, 2, (sizes) => {
              for (const size of shape) message(sizes, 2, (axis) => axis.tag(1, 0).int64(size));
            });
            tensor.tag(5, 5).float(0.5);
          }),
        );
      });
    });
  return writer.finish();
};

test("a constant of one value stands for its whole shape", () => {
  const { shape, data } = readGraphConstants(graph([1000, 1000]), "f.pb").get("c0")!;
  expect([shape, data.length, data.at(-1)]).toEqual([[1000, 1000], 1_000_000, 0.5]);
});

test.each([
  [
    "one constant of too many",
    [[20_000, 20_000]],
    "its constants of one value stand for 400000000 numbers; at most 4194304 are read",
  ],
  [
    "several that are too many together",
    [
      [2000, 2000],
      [2000, 2000],
    ],
    "its constants of one value stand for 8000000 numbers; at most 4194304 are read",
  ],
  ["many axes", [Array(20).fill(1)], "a tensor has 20 axes; at most 16 are read"],
  ["a negative size", [[-1, 5]], "a tensor of shape [-1 5] has 1 numbers"],
])("%s is refused", (_, shapes, problem) => {
  expect(() => readGraphConstants(graph(...shapes), "f.pb")).toThrow(
    new UserError(`f.pb is not a frozen TensorFlow graph: ${problem}`),
  );
});
