import { type Features, type Products, TILE } from "../../eval/index.js";
import { lower } from "../../onnx/index.js";
import { input, matmul } from "../../ops/index.js";
import type { Runtime } from "../../runtime/index.js";

export type EngineProducts = { readonly products: Products; readonly release: () => void };

/** Products of features of `dimensions` numbers on the engine, in float64. Memory: three tiles. */
export const engineProducts = async (runtime: Runtime, dimensions: number): Promise<EngineProducts> => {
  const rows = { dtype: "float64", shape: [TILE, dimensions] } as const;
  const y = matmul(input("a", rows), input("b", rows), { transposeB: true });
  const executable = await runtime.compile(lower("products", { y }));
  const tensors = { a: runtime.tensor(rows), b: runtime.tensor(rows), y: runtime.tensor(y.type) };
  const write = async (name: "a" | "b", { data }: Features): Promise<number> => {
    const padded = new Float64Array(TILE * dimensions);
    padded.set(data);
    await tensors[name].write(padded);
    return data.length / dimensions;
  };
  return {
    products: async (a, b) => {
      const [n, m] = [await write("a", a), await write("b", b)];
      await executable.run({ a: tensors.a, b: tensors.b }, { y: tensors.y });
      const all = (await tensors.y.read()) as Float64Array;
      if (m === TILE) return all.subarray(0, n * m);
      const found = new Float64Array(n * m);
      for (let i = 0; i < n; i++) found.set(all.subarray(i * TILE, i * TILE + m), i * m);
      return found;
    },
    release: () => {
      executable.release();
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
};
