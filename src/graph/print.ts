import { showType } from "./dtype.js";
import type { Tensor } from "./tensor.js";
import { ancestors } from "./walk.js";

/** The program that computes `outputs`, one node a line: `%7 = matmul(%3, %5) : float32[2 4]   # blocks.0.attn`. */
export const printGraph = (outputs: readonly Tensor[]): string =>
  ancestors(outputs)
    .map((node) => {
      const inputs = node.inputs.map((t) => `%${t.node.id}${t.index === 0 ? "" : `.${t.index}`}`).join(", ");
      const types = node.outputs.map((t) => showType(t.type)).join(", ");
      return `%${node.id} = ${node.op.name}(${inputs}) : ${types}${node.scope && `   # ${node.scope}`}`;
    })
    .join("\n");
