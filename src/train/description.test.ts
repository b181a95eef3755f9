import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkManifest } from "../checks/manifest.js";
import { UserError } from "../errors.js";
import { DIT_SIZES } from "../models/dit.js";
import { parameterEstimate } from "../models/limits.js";
import type { NetworkConfig } from "../models/network.js";
import { UNET_SIZES } from "../models/unet.js";
import { parseDescription } from "./description.js";
import { openNetwork } from "./model.js";

const NETWORK = { imageSize: 8, patch: 4, channels: 1, width: 16, depth: 1, heads: 2, classes: 2, nullLabel: false };
const MODEL = {
  format: "soflow",
  version: 1,
  network: NETWORK,
  method: { kind: "soflow", path: "linear", parameterisation: "euler" },
  classes: ["a", "b"],
};
const PATH = "m/config.json";
const parse = (value: unknown) => parseDescription(typeof value === "string" ? value : JSON.stringify(value), PATH);
const withNetwork = (changes: object) => ({ ...MODEL, network: { ...NETWORK, ...changes } });

test("a description is read as it was written", () => {
  expect(parse(MODEL)).toEqual(MODEL);
  const unet = { kind: "unet", imageSize: 8, channels: 3, width: 8, multipliers: [1, 2], depth: 1, attention: [4] };
  const other = { ...unet, dropout: 0, augment: 0, classes: 0, times: 1, nullLabel: false };
  expect(parse({ ...MODEL, network: other, method: { kind: "edm" }, classes: [] }).network).toEqual(other);
});

test.each([
  [
    { ...MODEL, version: 2 },
    `${PATH} is of format version 2, and this soflow reads version 1; upgrade soflow to use this model`,
  ],
  [{ ...MODEL, version: "1" }, `${PATH} does not describe a model: its "version" is "1"; it must be 1`],
  [{ ...MODEL, format: "other" }, `${PATH} does not describe a model: its "format" is not "soflow"`],
  [null, `${PATH} does not describe a model: its "format" is not "soflow"`],
  [
    withNetwork({ width: 1e9 }),
    `${PATH} does not describe a model: network.width is 1000000000; it must be at most 16384`,
  ],
  [withNetwork({ depth: 1e6 }), `${PATH} does not describe a model: network.depth is 1000000; it must be at most 512`],
  [
    withNetwork({ depth: 1.5 }),
    `${PATH} does not describe a model: network.depth: expected whole number, received number 1.5`,
  ],
  [
    withNetwork({ width: "16" }),
    `${PATH} does not describe a model: network.width: expected number, received string "16"`,
  ],
  [withNetwork({ patch: undefined }), `${PATH} does not describe a model: network.patch is missing`],
  [
    withNetwork({ kind: "gan" }),
    `${PATH} does not describe a model: network.kind is "gan"; it must be dit, mlp or unet`,
  ],
  [
    withNetwork({ imageSize: 4096, patch: 1 }),
    `${PATH} does not describe a model: network.patch is 1, 16777216 tokens of an image of 4096×4096; at most 65536 are possible`,
  ],
  [
    withNetwork({ width: 16384, depth: 512 }),
    `${PATH} does not describe a model: network.width is 16384 with depth 512, about 2.47e+3 billion parameters; at most 20 billion are possible`,
  ],
  [withNetwork({ patch: 3 }), `${PATH} does not describe a model: network.patch is 3; it must divide the image size 8`],
  [{ ...MODEL, classes: ["a"] }, `${PATH} does not describe a model: classes has 1 names; network.classes is 2`],
  [
    { ...MODEL, classes: [1, 2] },
    /^m\/config.json does not describe a model: classes.0: expected string, received number 1/,
  ],
  [
    { ...MODEL, method: { kind: "soflow", path: "round", parameterisation: "euler" } },
    `${PATH} does not describe a model: method.path is "round"; it must be linear or trig`,
  ],
  ["{ not\njson", /^m\/config.json does not describe a model: .*JSON/],
])("%j is refused in one line", (value, line) => {
  let message = "";
  try {
    parse(value);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(UserError);
    message = (thrown as Error).message;
  }
  if (typeof line === "string") expect(message).toBe(line);
  else expect(message).toMatch(line);
  expect(message).not.toContain("\n");
});

test("whatever is in the file, it is a description or one line", () => {
  const junk = fc.jsonValue({ maxDepth: 2 });
  const field = fc.constantFrom("format", "version", "network", "method", "classes", "width", "depth", "heads", "kind");
  const changed = fc
    .tuple(field, junk)
    .map(([name, value]) => (name in MODEL ? { ...MODEL, [name]: value } : withNetwork({ [name]: value })));
  const check = (value: unknown): void => {
    try {
      openNetwork(parse(value).network); // what is accepted can be built
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(UserError);
      expect((thrown as Error).message).not.toContain("\n");
      expect((thrown as Error).message.length).toBeLessThan(600);
    }
  };
  fc.assert(fc.property(fc.oneof(junk, changed), check), { numRuns: 300 });
});

describe("the estimate of parameters, by which networks are refused before they are built", () => {
  const rest = { imageSize: 32, channels: 4, classes: 10, nullLabel: true };
  const networks: readonly NetworkConfig[] = [
    ...Object.values(DIT_SIZES).map((size) => ({ ...rest, ...size })),
    ...Object.values(UNET_SIZES).map((size) => ({ ...rest, ...size })),
    { kind: "mlp", ...rest, imageSize: 1, channels: 2, width: 256, depth: 4 },
  ];
  test.each(networks)("is near the truth for width $width, depth $depth", (network) => {
    const truth = openNetwork(network).parameters.reduce(
      (sum, { tensor: { shape } }) => sum + shape.reduce((n, d) => n * d, 1),
      0,
    );
    expect(parameterEstimate(network) / truth).toBeGreaterThan(0.7);
    expect(parameterEstimate(network) / truth).toBeLessThan(1.5);
  });
});

describe("the manifest of an export", () => {
  const file = (name: string) => ({ name, bytes: 10, sha256: "0".repeat(64) });
  const tensor = { dtype: "float32", shape: ["N", 1, 8, 8] };
  const manifest = {
    format: "soflow-export",
    version: 1,
    model: MODEL,
    images: "float32",
    models: { "model.onnx": { inputs: { noise: tensor }, outputs: { images: tensor } } },
    files: [file("model.onnx"), file("model.onnx_data")],
  };
  const check = (value: unknown) => () => checkManifest(value, "http://x/m/");

  test("is taken as export writes it", () => expect(check(manifest)).not.toThrow());

  test.each([
    [null, "is not a folder that soflow export wrote"],
    [{ ...manifest, format: "other" }, "is not a folder that soflow export wrote"],
    [{ ...manifest, version: 2 }, "is an export of version 2, and this soflow reads version 1; upgrade soflow"],
    [{ ...manifest, version: "x" }, 'has a manifest.json that cannot be used: version is "x", not 1'],
    [{ ...manifest, model: {} }, "model.network has no size and channels that an image can have"],
    [
      { ...manifest, model: { ...MODEL, network: { ...NETWORK, imageSize: 1e9 } } },
      "model.network has no size and channels that an image can have",
    ],
    [{ ...manifest, files: [file("../up")] }, "files is no list of names, bytes and SHA-256 checksums"],
    [{ ...manifest, files: [{ ...file("a"), bytes: -1 }] }, "files is no list of names, bytes and SHA-256 checksums"],
    [{ ...manifest, files: [file("model.onnx_data")] }, "model.onnx is not among its files and models"],
    [{ ...manifest, models: { "model.onnx": {} } }, "models has no inputs and outputs"],
  ])("%#: is refused in one line", (value, text) => expect(check(value)).toThrow(text));

  test("whatever it holds, it is taken or refused in one line", () => {
    const value = fc.tuple(fc.constantFrom(...Object.keys(manifest)), fc.jsonValue());
    fc.assert(
      fc.property(value, ([name, junk]) => {
        try {
          checkManifest({ ...manifest, [name]: junk }, "x");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
