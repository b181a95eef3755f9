import type { Features, Products } from "../../eval/index.js";
import { lower } from "../../onnx/index.js";
import { input, matmul } from "../../ops/index.js";
import type { Runtime } from "../../runtime/index.js";
import { BLOCK } from "./blocks.js";

/** Rows of each set that are multiplied at once. */
const TILE = 1024;

export type EngineProducts = Products & { readonly release: () => void };

/** Products of rows of `dimensions` numbers on the engine, in float64. Memory: three tiles. */
export const engineProducts = async (runtime: Runtime, dimensions: number, rows = TILE): Promise<EngineProducts> => {
  const type = { dtype: "float64", shape: [rows, dimensions] } as const;
  const y = matmul(input("a", type), input("b", type), { transposeB: true });
  const executable = await runtime.compile(lower("products", { y }));
  const tensors = { a: runtime.tensor(type), b: runtime.tensor(type), y: runtime.tensor(y.type) };
  const write = async (name: "a" | "b", { data }: Features): Promise<number> => {
    const padded = new Float64Array(rows * dimensions);
    padded.set(data);
    await tensors[name].write(padded);
    return data.length / dimensions;
  };
  return {
    rows,
    multiply: async (a, b) => {
      const [n, m] = [await write("a", a), await write("b", b)];
      await executable.run({ a: tensors.a, b: tensors.b }, { y: tensors.y });
      const all = (await tensors.y.read()) as Float64Array;
      if (m === rows) return all.subarray(0, n * m);
      const found = new Float64Array(n * m);
      for (let i = 0; i < n; i++) found.set(all.subarray(i * rows, i * rows + m), i * m);
      return found;
    },
    release: () => {
      executable.release();
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
};

/** Products over the images of a block, for the covariances of features of `dimensions` numbers. */
export const blockProducts = (runtime: Runtime, dimensions: number): Promise<EngineProducts> =>
  engineProducts(runtime, BLOCK, Math.min(TILE, dimensions));
