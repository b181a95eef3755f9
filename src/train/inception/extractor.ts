import { join } from "node:path";
import { UserError } from "../../errors.js";
import { resizeMatrix } from "../../eval/resize.js";
import { isPresent } from "../../files/index.js";
import { channelsFirst } from "../../formats/planes.js";
import type { Tensor } from "../../graph/tensor.js";
import { INCEPTION_SIZE, inception } from "../../models/inception.js";
import { Scope } from "../../nn/index.js";
import { lower } from "../../onnx/index.js";
import { constantOf, input, matmul, softmax } from "../../ops/index.js";
import type { Runtime } from "../../runtime/index.js";
import type { Extracted, FeatureExtractor } from "../evaluate/extractor.js";
import { sha256Of } from "../files.js";
import { cacheFolder } from "../hub/cache.js";
import { download } from "../hub/download.js";
import { readInceptionWeights } from "./weights.js";

/** The PyTorch port's file, and its checksum, which begins with the digits in the name. */
const FILE = "pt_inception-2015-12-05-6726825d.pth";
const SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";
const ADDRESS = `https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/${FILE}`;

export type InceptionOptions = {
  /** The weights: the PyTorch port's `.pth` or TensorFlow's frozen graph `.pb`. By default a download in the cache. */
  readonly path?: string;
  /** Where to download from, in place of the port's own address. */
  readonly url?: string;
  readonly cacheDir?: string;
  /** Images at once; default 16. */
  readonly batch?: number;
  readonly onProgress?: (loaded: number, total: number) => void;
};

/** The file of weights: the one that is named, else a download that is kept. */
const weightsFile = async ({ path, url = ADDRESS, cacheDir, onProgress }: InceptionOptions): Promise<string> => {
  if (path !== undefined) {
    if (!isPresent(path))
      throw new UserError(`inception: there is no ${path}; give the file of its weights (.pth or .pb)`);
    return path;
  }
  const file = join(cacheFolder(cacheDir), "inception", FILE);
  if (isPresent(file)) return file;
  const offline = process.env.SOFLOW_OFFLINE === "1";
  const fetched = offline
    ? undefined
    : await download(url, file, { sha256: SHA256, ...(onProgress && { onProgress }) });
  if (fetched?.status === "new") return file;
  throw new UserError(
    `inception: ${file} is not there and ${offline ? "this is offline mode" : `${url} has no such file`}`,
  );
};

/** Bytes as the network reads them: resized as TensorFlow 1 does, (x − 128) / 128.   x [B 3 S S] in 0 … 255 */
export const inceptionInput = (x: Tensor): Tensor => {
  const size = x.dim(2);
  const matrix = constantOf(resizeMatrix(size, INCEPTION_SIZE), { dtype: "float32", shape: [INCEPTION_SIZE, size] });
  const wide = matmul(x, matrix, { transposeB: true }); // along the columns
  return matmul(matrix, wide).sub(128).div(128);
};

type Weights = Awaited<ReturnType<typeof readInceptionWeights>>;

/** The network compiled for images of one size. */
const compileFor = async (runtime: Runtime, given: Weights, batch: number, size: number) => {
  const scope = new Scope();
  const x = input("x", { dtype: "float32", shape: [batch, 3, size, size] });
  const { pool, spatial, scores } = inception(scope, inceptionInput(x));
  const outputs = { pool, spatial, probabilities: softmax(scores) };
  const executable = await runtime.compile(lower("inception", outputs, { given }));
  const images = runtime.tensor(x.type);
  const results = Object.fromEntries(Object.entries(outputs).map(([name, { type }]) => [name, runtime.tensor(type)]));
  const rows = async (name: keyof typeof outputs, n: number): Promise<Float32Array> =>
    ((await results[name]!.read()) as Float32Array).slice(0, n * outputs[name].dim(1));
  return {
    run: async (bytes: Uint8Array, n: number): Promise<Extracted> => {
      const padded = new Float32Array(batch * 3 * size * size);
      padded.set(channelsFirst(bytes, n, 3, size, (byte) => byte));
      await images.write(padded);
      await executable.run({ x: images }, results);
      return {
        pool: await rows("pool", n),
        spatial: await rows("spatial", n),
        probabilities: await rows("probabilities", n),
      };
    },
    release: () => {
      executable.release();
      for (const tensor of [images, ...Object.values(results)]) tensor.dispose();
    },
  };
};

/**
 * The features that FID, sFID and the Inception Score are computed from, of RGB images of any size. Throws a `UserError` for
 * weights that are missing or do not fit.
 */
export const openInception = async (runtime: Runtime, options: InceptionOptions = {}): Promise<FeatureExtractor> => {
  const { batch = 16 } = options;
  const path = await weightsFile(options);
  const scope = new Scope();
  inception(scope, input("x", { dtype: "float32", shape: [1, 3, INCEPTION_SIZE, INCEPTION_SIZE] }));
  const weights = await readInceptionWeights(path, scope.parameters);
  const compiled = new Map<number, ReturnType<typeof compileFor>>();
  return {
    name: "inception",
    hash: (await sha256Of(path)).slice(0, 8),
    size: undefined,
    batch,
    extract: async (bytes, n, size) => {
      const known = compiled.get(size) ?? compileFor(runtime, weights, batch, size);
      compiled.set(size, known);
      return (await known).run(bytes, n);
    },
    release: () => {
      for (const part of compiled.values()) void part.then(({ release }) => release());
    },
  };
};
