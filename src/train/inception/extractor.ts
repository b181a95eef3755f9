import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import { resizeMatrix } from "../../eval/resize.js";
import type { Tensor } from "../../graph/tensor.js";
import { INCEPTION_FEATURES, INCEPTION_SIZE, inception } from "../../models/inception.js";
import { Scope } from "../../nn/index.js";
import { lower } from "../../onnx/index.js";
import { constantOf, input, matmul, softmax } from "../../ops/index.js";
import { openRuntime, type Runtime } from "../../runtime/index.js";
import { type FeatureExtractor, type Features, floatsOfBytes } from "../evaluate/extractor.js";
import { cacheFolder } from "../hub/cache.js";
import { download, sha256Of } from "../hub/download.js";
import { readInceptionWeights } from "./weights.js";

/** The PyTorch port's file. Its name holds the first digits of its SHA-256, as all that PyTorch's hub downloads do. */
const FILE = "pt_inception-2015-12-05-6726825d.pth";
const SHA256 = "6726825d";
const ADDRESS = `https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/${FILE}`;

export type InceptionOptions = {
  /** The weights: the PyTorch port's `.pth` or TensorFlow's frozen graph `.pb`. By default a download in the cache. */
  readonly path?: string;
  /** Where to download from, in place of the port's own address. */
  readonly url?: string;
  readonly cacheDir?: string;
  /** Side of the images, in pixels. */
  readonly size: number;
  /** Images at once; default 16. */
  readonly batch?: number;
  readonly threads?: number;
  /** A runtime to use; by default one is opened, and closed with the extractor. */
  readonly runtime?: Runtime;
  readonly onProgress?: (loaded: number, total: number) => void;
};

/** The file of weights: the one that is named, else a download that is kept. */
const weightsFile = async ({ path, url = ADDRESS, cacheDir, onProgress }: InceptionOptions): Promise<string> => {
  if (path !== undefined) {
    if (!existsSync(path))
      throw new UserError(`inception: there is no ${path}; give the file of its weights (.pth or .pb)`);
    return path;
  }
  const file = join(cacheFolder(cacheDir), "inception", FILE);
  if (existsSync(file)) return file;
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

/**
 * The features that FID, sFID and the Inception Score are computed from, of RGB images of one size. Throws a `UserError` for
 * weights that are missing or do not fit.
 */
export const openInception = async (options: InceptionOptions): Promise<FeatureExtractor> => {
  const { size, batch = 16, threads } = options;
  const path = await weightsFile(options);
  const scope = new Scope();
  const x = input("x", { dtype: "float32", shape: [batch, 3, size, size] });
  const { pool, spatial, scores } = inception(scope, inceptionInput(x));
  const outputs = { pool, spatial, probabilities: softmax(scores) };
  const weights = await readInceptionWeights(path, scope.parameters);
  const runtime = options.runtime ?? (await openRuntime(threads ? { threads } : {}));
  const executable = await runtime.compile(lower("inception", outputs, { given: weights }));
  const images = runtime.tensor(x.type);
  const results = {
    pool: runtime.tensor(pool.type),
    spatial: runtime.tensor(spatial.type),
    probabilities: runtime.tensor(scores.type),
  };
  const rows = async (name: keyof typeof results, count: number, width: number): Promise<Float32Array> =>
    ((await results[name].read()) as Float32Array).slice(0, count * width);
  return {
    name: "inception-2015-12-05",
    metric: "FID",
    hash: await sha256Of(path),
    size: INCEPTION_FEATURES.pool,
    shape: { channels: 3, size },
    batch,
    extract: async (bytes, count): Promise<Features> => {
      await images.write(floatsOfBytes(bytes, count, batch, { channels: 3, size }));
      await executable.run({ x: images }, results);
      return {
        pool: await rows("pool", count, INCEPTION_FEATURES.pool),
        spatial: await rows("spatial", count, INCEPTION_FEATURES.spatial),
        probabilities: await rows("probabilities", count, INCEPTION_FEATURES.classes),
      };
    },
    close: async () => {
      executable.release();
      for (const tensor of [images, ...Object.values(results)]) tensor.dispose();
      if (!options.runtime) await runtime.close();
    },
  };
};
